package catalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestNamespaces(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	ctx := t.Context()
	for _, name := range strings.Fields("system sys root kalamdb kalam main sql admin internal information_schema " +
		"pg_catalog datafusion duckdb temp memory") {
		_, err := c.CreateNamespace(ctx, kalam.NamespaceID(name), nil, true)
		refused(t, err, kalam.CodeInvalidOperation, "Namespace name '"+name+"' is reserved")
	}
	for _, name := range []string{"", "1a", "_a", "a-b", "A", strings.Repeat("a", 65), "a/b", "é"} {
		_, err := c.CreateNamespace(ctx, kalam.NamespaceID(name), nil, false)
		refused(t, err, kalam.CodeInvalidSQL, "")
	}
	createNamespace(t, c, kalam.NamespaceID(strings.Repeat("a", 64)))
	createNamespace(t, c, "app")
	_, err := c.CreateNamespace(ctx, "app", nil, false)
	refused(t, err, kalam.CodeAlreadyExists, "Namespace 'app' already exists")
	if created, err := c.CreateNamespace(ctx, "app", nil, true); created || err != nil {
		t.Errorf("IF NOT EXISTS: %v, %v", created, err)
	}
	if created, err := c.CreateNamespace(ctx, "default", nil, true); created || err != nil {
		t.Errorf("IF NOT EXISTS of default: %v, %v", created, err)
	}
	for name, v := range map[string]kalam.Value{"": kalam.Bool(true),
		strings.Repeat("k", 65): kalam.Bool(true), "k": kalam.Bytes("x")} {
		refused(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{name: v}), kalam.CodeInvalidSQL, "")
	}
	refused(t, c.AlterNamespace(ctx, "none", nil), kalam.CodeNotFound, "Namespace 'none' does not exist")
	check(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{"k": kalam.Text("v")}))
	check(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{"k": kalam.Null()}))
	if ns, _ := c.Namespace("app"); len(ns.Options) != 0 {
		t.Errorf("options %v", ns.Options)
	}

	createTable(t, c, spec("app", "a"))
	createTable(t, c, spec("app", "b"))
	_, err = c.DropNamespace(ctx, "app", false)
	refused(t, err, kalam.CodeInvalidOperation,
		"Cannot drop namespace 'app': it contains 2 table(s). Use DROP NAMESPACE app CASCADE")
	_, err = c.DropNamespace(ctx, "none", true)
	refused(t, err, kalam.CodeNotFound, "Namespace 'none' does not exist")
	_, err = c.DropNamespace(ctx, "default", true)
	refused(t, err, kalam.CodeInvalidOperation, "Namespace 'default' cannot be dropped")
	dropped, err := c.DropNamespace(ctx, "app", true)
	if err != nil || len(dropped) != 2 || dropped[0].ID.Name != "a" || dropped[1].ID.Name != "b" {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	if len(c.Tables("")) != 0 || c.TableCount("app") != 0 || len(c.Dropped()) != 2 {
		t.Error("tables are left")
	}
	createNamespace(t, c, "app")
	if n := createTable(t, c, spec("app", "a")).Number; n == dropped[0].Number || n == dropped[1].Number {
		t.Errorf("table number %d is used twice", n)
	}
}

// TestTableRules checks what CREATE TABLE refuses.
func TestTableRules(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	createNamespace(t, c, "app")
	createTable(t, c, spec("app", "taken"))
	long := strings.Repeat("a", 65)
	column := func(name string, k kalam.Kind) kalam.Column { return kalam.Column{Name: name, Type: kalam.TypeOf(k)} }
	options := func(kind kalam.TableKind, o kalam.TableOptions) func(*kalam.Table) {
		return func(x *kalam.Table) { x.Kind, x.Options = kind, o }
	}
	user, shared, stream := kalam.KindUserTable, kalam.KindSharedTable, kalam.KindStreamTable
	tests := []struct {
		name   string
		change func(*kalam.Table)
		code   kalam.Code
		text   string
	}{
		{"good", func(*kalam.Table) {}, 0, ""},
		{"no kind", func(x *kalam.Table) { x.Kind = 0 }, kalam.CodeInvalidOperation, ""},
		{"system table", func(x *kalam.Table) { x.Kind = kalam.KindSystemTable }, kalam.CodeInvalidOperation, ""},
		{"name taken", func(x *kalam.Table) { x.ID.Name = "taken" }, kalam.CodeAlreadyExists,
			"Table app.taken already exists"},
		{"no namespace", func(x *kalam.Table) { x.ID.Namespace = "none" }, kalam.CodeNotFound,
			"Namespace 'none' does not exist. Create it first with CREATE NAMESPACE."},
		{"namespace name", func(x *kalam.Table) { x.ID.Namespace = "a/b" }, kalam.CodeInvalidSQL, ""},
		{"table name", func(x *kalam.Table) { x.ID.Name = kalam.TableName(long) }, kalam.CodeInvalidSQL, ""},
		{"column name", func(x *kalam.Table) { x.Columns[1].Name = "a b" }, kalam.CodeInvalidSQL, ""},
		{"column twice", func(x *kalam.Table) { x.Columns[1].Name = "id" }, kalam.CodeInvalidOperation,
			"Column 'id' is defined twice"},
		{"_seq", func(x *kalam.Table) { x.Columns[1].Name = "_seq" }, kalam.CodeInvalidOperation,
			"Column name '_seq' is reserved"},
		{"_deleted", func(x *kalam.Table) { x.Columns[1].Name = "_deleted" }, kalam.CodeInvalidOperation,
			"Column name '_deleted' is reserved"},
		{"no type", func(x *kalam.Table) { x.Columns[1].Type.Kind = 0 }, kalam.CodeInvalidOperation, ""},
		{"unknown type", func(x *kalam.Table) { x.Columns[1].Type.Kind = 0x7F }, kalam.CodeInvalidOperation, ""},
		{"decimal precision", func(x *kalam.Table) {
			x.Columns[1].Type = kalam.DataType{Kind: kalam.KindDecimal,
				Precision: 39}
		}, kalam.CodeInvalidOperation, ""},
		{"decimal scale", func(x *kalam.Table) {
			x.Columns[1].Type = kalam.DataType{Kind: kalam.KindDecimal, Precision: 3, Scale: 4}
		}, kalam.CodeInvalidOperation, ""},
		{"no key", func(x *kalam.Table) { x.PrimaryKey = nil }, kalam.CodeInvalidOperation,
			"User tables require a PRIMARY KEY column"},
		{"no key, stream", func(x *kalam.Table) { x.Kind, x.Options.TTL, x.PrimaryKey = stream, time.Second, nil }, 0,
			""},
		{"no key, shared", func(x *kalam.Table) { x.Kind, x.PrimaryKey = shared, nil }, kalam.CodeInvalidOperation,
			"Shared tables require a PRIMARY KEY column"},
		{"key twice", func(x *kalam.Table) { x.PrimaryKey = []int{0, 0} }, kalam.CodeInvalidOperation, ""},
		{"key of no column", func(x *kalam.Table) { x.PrimaryKey = []int{2} }, kalam.CodeInvalidOperation, ""},
		{"key below 0", func(x *kalam.Table) { x.PrimaryKey = []int{-1} }, kalam.CodeInvalidOperation, ""},
		{"key of a DOUBLE", func(x *kalam.Table) { x.Columns[0] = column("id", kalam.KindDouble) },
			kalam.CodeInvalidOperation,
			"PRIMARY KEY column 'id' must be BIGINT or TEXT, got DOUBLE (possible types: BIGINT, TEXT, SMALLINT, " +
				"INT, UUID, DATE, TIMESTAMP)"},
		{"composite key", func(x *kalam.Table) { x.PrimaryKey = []int{1, 0} }, 0, ""},
		{"interval too short", options(user, kalam.TableOptions{FlushInterval: time.Second - 1}),
			kalam.CodeInvalidOperation, ""},
		{"interval too long", options(user, kalam.TableOptions{FlushInterval: 86400 * time.Second}),
			kalam.CodeInvalidOperation, "flush interval must be 1 to 86399 seconds"},
		{"interval", options(user, kalam.TableOptions{FlushInterval: time.Second}), 0, ""},
		{"too many rows", options(user, kalam.TableOptions{FlushRows: 1_000_000}), kalam.CodeInvalidOperation,
			"flush rows must be 1 to 999999"},
		{"rows below 0", options(user, kalam.TableOptions{FlushRows: -1}), kalam.CodeInvalidOperation, ""},
		{"manual and rows", options(user, kalam.TableOptions{FlushManual: true, FlushRows: 5}),
			kalam.CodeInvalidOperation, ""},
		{"manual and cron", options(user, kalam.TableOptions{FlushManual: true, FlushCron: "@hourly"}),
			kalam.CodeInvalidOperation,
			"FLUSH_POLICY 'manual' cannot be combined with FLUSH_CRON"},
		{"long cron", options(user, kalam.TableOptions{FlushCron: strings.Repeat("1,", 101)}),
			kalam.CodeInvalidOperation,
			"FLUSH_CRON is longer than 200 bytes"},
		{"cron, rows and interval", options(user, kalam.TableOptions{FlushCron: "@hourly", FlushRows: 5,
			FlushInterval: time.Minute}), 0, ""},
		{"stream without TTL", options(stream, kalam.TableOptions{}), kalam.CodeInvalidOperation,
			"STREAM tables require TTL_SECONDS"},
		{"stream", options(stream, kalam.TableOptions{TTL: time.Second}), 0, ""},
		{"TTL of a user table", options(user, kalam.TableOptions{TTL: time.Second}), kalam.CodeInvalidOperation,
			"TTL_SECONDS is only valid for STREAM tables"},
		{"access of a user table", options(user, kalam.TableOptions{Access: kalam.AccessPublic}),
			kalam.CodeInvalidOperation,
			"ACCESS_LEVEL is only valid for SHARED tables"},
		{"unknown access", options(shared, kalam.TableOptions{Access: 9}), kalam.CodeInvalidOperation, ""},
		{"user storage of a shared table", options(shared, kalam.TableOptions{UseUserStorage: true}),
			kalam.CodeInvalidOperation, "USE_USER_STORAGE is only valid for USER tables"},
		{"retention", options(user, kalam.TableOptions{DeletedRetentionHours: -1}), kalam.CodeInvalidOperation, ""},
		{"no storage of this name", options(user, kalam.TableOptions{StorageID: "none"}), kalam.CodeNotFound,
			"Storage 'none' does not exist"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec("app", kalam.TableName(fmt.Sprint("t", i)))
			tt.change(&s)
			before := len(c.Tables(""))
			got, err := c.CreateTable(t.Context(), system, s)
			if tt.text == "" && tt.code == 0 {
				check(t, err)
				if got.HasHiddenKey() != (len(s.PrimaryKey) == 0) || !got.HasHiddenKey() &&
					!got.Columns[got.PrimaryKey[0]].NotNull || got.SchemaVersion != 1 || got.Columns[1].ID != 2 {
					t.Errorf("table %+v", got)
				}
				return
			}
			refused(t, err, tt.code, tt.text)
			if len(c.Tables("")) != before {
				t.Error("a table came of it")
			}
		})
	}
}

func TestCreateTableCopies(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	s := spec("default", "t")
	s.Columns[1].Default = &kalam.Default{Value: kalam.Text("a"), SQL: "'a'"}
	s.Number, s.SchemaVersion, s.Columns[0].ID = 77, 9, 5 // Not the caller's to set.
	got := createTable(t, c, s)
	if got.Number == 77 || got.SchemaVersion != 1 || got.Columns[0].ID != 1 ||
		got.Options.StorageID != kalam.LocalStorage {
		t.Errorf("table %+v", got)
	}
	s.Columns[1].Name, s.Columns[1].Default.SQL, s.PrimaryKey[0] = "changed", "changed", 1
	if stored, _ := c.Table(got.ID); stored.Columns[1].Name != "body" ||
		stored.Columns[1].Default.SQL != "'a'" || stored.PrimaryKey[0] != 0 {
		t.Error("the stored table changed with its spec")
	}
}

func TestAlterTableConflicts(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	ctx := t.Context()
	first := createTable(t, c, spec("default", "t"))
	epoch := c.SchemaEpoch()
	second := alter(t, c, first.ID, "ADD", func(x *kalam.Table) {
		x.Columns = append(x.Columns, kalam.Column{Name: "c", Type: kalam.TypeOf(kalam.KindInt)})
	})
	if second.SchemaVersion != 2 || second.Number != first.Number ||
		second.Columns[2].ID != 3 || c.SchemaEpoch() <= epoch {
		t.Errorf("altered %+v", second)
	}
	_, err := c.AlterTable(ctx, *first, "stale")
	if !errors.Is(err, kalam.ErrTableChanged) {
		t.Errorf("a stale version gives %v", err)
	}
	refused(t, err, kalam.CodeConflict, "Table default.t was changed by another statement; try again: the table has another version")
	forged := *second
	forged.Columns = slices.Clone(second.Columns)
	forged.Columns[1].ID = 1
	_, err = c.AlterTable(ctx, forged, "id twice")
	refused(t, err, kalam.CodeInvalidOperation, "")
	forged.Columns[1].ID = 99
	_, err = c.AlterTable(ctx, forged, "unknown id")
	refused(t, err, kalam.CodeInvalidOperation, "")
	keyless := *second
	keyless.PrimaryKey = nil
	_, err = c.AlterTable(ctx, keyless, "no key")
	refused(t, err, kalam.CodeInvalidOperation, "")
	kind := *second
	kind.Kind = kalam.KindSharedTable // The kind of a table stays.
	if third, err := c.AlterTable(ctx, kind, "kind"); err != nil || third.Kind != kalam.KindUserTable {
		t.Errorf("altered kind: %+v, %v", third, err)
	}
	_, err = c.DropTable(ctx, first.ID)
	check(t, err)
	createTable(t, c, spec("default", "t")) // Another table of this name.
	_, err = c.AlterTable(ctx, *second, "gone")
	refused(t, err, kalam.CodeTableNotFound, "Table default.t does not exist")
	if _, ok := c.TableByNumber(first.Number); ok {
		t.Error("a dropped table is found by its number")
	}
	if d, ok := c.DroppedTable(first.Number); !ok || d.SchemaVersion != 3 {
		t.Errorf("dropped table %+v", d)
	}
	_, err = c.DropTable(ctx, kalam.TableID{Namespace: "default", Name: "none"})
	refused(t, err, kalam.CodeTableNotFound, "Table default.none does not exist")
	_, err = c.DropTable(ctx, kalam.TableID{Namespace: "none", Name: "none"})
	refused(t, err, kalam.CodeTableNotFound, "Table none.none does not exist")
	check(t, c.ForgetDropped(ctx, 999))
}

// TestNoOrphanTable runs CREATE TABLE against CREATE and DROP NAMESPACE: a table
// that was created exists or was dropped, in memory and after a restart.
func TestNoOrphanTable(t *testing.T) {
	b := memory.New()
	c := open(t, b, catalog.Options{})
	ctx := t.Context()
	var work sync.WaitGroup
	var mu sync.Mutex
	created := map[kalam.TableNumber]kalam.TableID{}
	dropped := map[kalam.TableNumber]bool{}
	for i := range 3 {
		work.Go(func() {
			for k := range 200 {
				got, err := c.CreateTable(ctx, system, spec("busy", kalam.TableName(fmt.Sprintf("t%d_%d", i, k))))
				if kalam.CodeOf(err) == kalam.CodeNotFound && err != nil {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				created[got.Number] = got.ID
				mu.Unlock()
			}
		})
	}
	for i := range 2 {
		work.Go(func() {
			for k := range 200 {
				if _, err := c.CreateNamespace(ctx, "busy", nil, true); err != nil {
					t.Error(err)
				}
				gone, err := c.DropNamespace(ctx, "busy", k%2 == i)
				if code := kalam.CodeOf(err); err != nil && code != kalam.CodeNotFound &&
					code != kalam.CodeInvalidOperation {
					t.Error(err)
				}
				mu.Lock()
				for _, x := range gone {
					if dropped[x.Number] {
						t.Errorf("table %d was dropped twice", x.Number)
					}
					dropped[x.Number] = true
				}
				mu.Unlock()
			}
		})
	}
	work.Wait()
	again := open(t, b.Clone(), catalog.Options{})
	for _, x := range []*catalog.Catalog{c, again} {
		for n, id := range created {
			current, exists := x.TableByNumber(n)
			_, noted := x.DroppedTable(n)
			if exists == dropped[n] || noted != dropped[n] || exists && current.ID != id {
				t.Errorf("table %d %s: exists %v, noted as dropped %v, was dropped %v", n, id, exists, noted,
					dropped[n])
			}
		}
		for _, table := range x.Tables("") {
			if _, ok := x.Namespace(table.ID.Namespace); !ok {
				t.Errorf("orphan %s", table.ID)
			}
		}
	}
	t.Logf("%d tables created, %d dropped with their namespace", len(created), len(dropped))
}

func TestStorages(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	ctx := t.Context()
	create := func(id kalam.StorageID, name string) error {
		return c.CreateStorage(ctx,
			catalog.Storage{ID: id, Name: name, Type: catalog.StorageFilesystem, URI: "file:///x"})
	}
	check(t, create("zeta", "a name"))
	check(t, create("alpha", ""))
	refused(t, create("zeta", ""), kalam.CodeAlreadyExists, "Storage 'zeta' already exists")
	refused(t, create("no/slash", ""), kalam.CodeInvalidSQL, "")
	refused(t, c.CreateStorage(ctx, catalog.Storage{ID: "odd", Type: "tape"}), kalam.CodeInvalidOperation,
		"unknown storage type 'tape' (expected filesystem or s3)")
	var order []string
	for _, s := range c.Storages() {
		order = append(order, string(s.ID)+"="+s.Name)
	}
	if got := strings.Join(order, ", "); got != "local=Local file system, zeta=a name, alpha=alpha" {
		t.Errorf("order %s", got)
	}
	check(t, c.AlterStorage(ctx, catalog.Storage{ID: "zeta", Name: "new", Type: catalog.StorageS3,
		URI: "s3://elsewhere", Config: "{}"}))
	if s, _ := c.Storage("zeta"); s.Name != "new" || s.Config != "{}" ||
		s.Type != catalog.StorageFilesystem || s.URI != "file:///x" {
		t.Errorf("altered %+v", s)
	}
	refused(t, c.AlterStorage(ctx, catalog.Storage{ID: "none"}), kalam.CodeNotFound, "Storage 'none' does not exist")

	s := spec("default", "t")
	s.Options.StorageID = "zeta"
	table := createTable(t, c, s)
	createUser(t, c, catalog.NewUser{ID: "ann", StorageID: "alpha"})
	refused(t, c.DropStorage(ctx, "zeta"), kalam.CodeInvalidOperation,
		"Cannot drop storage 'zeta': 1 table(s) still using it: default.t")
	refused(t, c.DropStorage(ctx, "alpha"), kalam.CodeInvalidOperation,
		"Cannot drop storage 'alpha': 1 user(s) still using it: ann")
	refused(t, c.DropStorage(ctx, "local"), kalam.CodeInvalidOperation,
		"Cannot delete storage 'local': it is the default storage")
	refused(t, c.DropStorage(ctx, "none"), kalam.CodeNotFound, "Storage 'none' does not exist")
	_, err := c.DropTable(ctx, table.ID)
	check(t, err)
	refused(t, c.DropStorage(ctx, "zeta"), kalam.CodeInvalidOperation, "") // Its files lie there still.
	check(t, c.ForgetDropped(ctx, table.Number))
	check(t, c.DropStorage(ctx, "zeta"))
	for i := range 12 {
		many := spec("default", kalam.TableName(fmt.Sprintf("m%02d", i)))
		many.Options.StorageID = "alpha"
		createTable(t, c, many)
	}
	err = c.DropStorage(ctx, "alpha")
	if err == nil || !strings.HasSuffix(err.Error(), "default.m09, ...") ||
		!strings.Contains(err.Error(), ": 12 table(s)") {
		t.Errorf("drop: %v", err)
	}
}

func TestSecrets(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	for _, name := range []string{"", strings.Repeat("n", 65)} {
		if err := c.PutSecret(t.Context(), name, catalog.NewSecret("x")); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
	check(t, c.PutSecret(t.Context(), "never there", catalog.Secret{}))
	s := catalog.NewSecret("hush")
	wrapped := struct {
		S catalog.Secret
		p *catalog.Secret
	}{s, &s}
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", wrapped, wrapped, wrapped), s.LogValue().String(),
		errors.Join(fmt.Errorf("%v", wrapped)).Error(),
	} {
		if strings.Contains(text, "hush") || strings.Contains(text, "68757368") {
			t.Errorf("printed %s", text)
		}
	}
	for _, f := range []func() ([]byte, error){s.MarshalJSON, s.MarshalText} {
		if text, err := f(); err != nil || strings.Contains(string(text), "hush") {
			t.Errorf("marshalled %s, %v", text, err)
		}
	}
}
