package read_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/query/worker"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/systables"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	root = kalam.Principal{User: "root", Role: kalam.RoleSystem}
	ann  = kalam.Principal{User: "ann", Role: kalam.RoleUser}
	bob  = kalam.Principal{User: "bob", Role: kalam.RoleUser}
)

// world is a reader over app.mine (USER), app.events (STREAM, TTL an hour) and app.all (SHARED, for services), with a
// clock that tests move.
type world struct {
	*read.Reader
	t   *testing.T
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	backend := memory.New()
	c, err := catalog.Open(t.Context(), backend, catalog.Options{BcryptCost: 4, Rules: access.Rules{}, Now: clock})
	must(t, err)
	storage, err := file.New(t.TempDir())
	must(t, err)
	l, err := lake.New(lake.Options{Now: clock}, lake.Location{ID: kalam.LocalStorage, Storage: storage})
	must(t, err)
	x, err := worker.Open(worker.Options{MemoryLimit: "256MB", Threads: 1,
		LakeDirs: []string{storage.Properties().Location}})
	must(t, err)
	q, err := query.Open(query.Options{Executor: x})
	must(t, err)
	files := segments.NewReader(l, c, slog.New(slog.DiscardHandler))
	store, err := buffer.Open(t.Context(), backend, buffer.Options{
		Segments: files, Publish: func([]kalam.Change) {}, Dropped: q.Forget, Now: clock,
	})
	must(t, err)
	t.Cleanup(func() {
		for _, end := range []func() error{q.Close, c.Close, store.Close, l.Close, storage.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
	})
	shown := systables.Catalog{Catalog: c}
	computed := systables.NewRegistry(shown.Tables(), systables.Information(w.now))
	w.Reader = &read.Reader{
		Catalog: c, Computed: computed, Query: q, Store: store, Segments: files, Refs: &catalog.TableRefs{},
		Activity: &activity.Registry{},
		Access:   access.New(c, access.Options{Computed: computed.Definitions()}),
	}
	_, err = c.CreateNamespace(t.Context(), "app", nil, false)
	must(t, err)
	w.create("mine", kalam.KindUserTable, kalam.TableOptions{})
	w.create("events", kalam.KindStreamTable, kalam.TableOptions{TTL: time.Hour})
	w.create("all", kalam.KindSharedTable, kalam.TableOptions{})
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) create(name kalam.TableName, kind kalam.TableKind, o kalam.TableOptions) {
	w.t.Helper()
	_, err := w.Catalog.CreateTable(w.t.Context(), root, kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: name}, Kind: kind, Options: o, PrimaryKey: []int{0},
		Columns: []kalam.Column{
			{Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
			{Name: "v", Type: kalam.TypeOf(kalam.KindText)},
		},
	})
	must(w.t, err)
}

// as returns a caller whose names mean tables of app.
func (w *world) as(p kalam.Principal) *read.Caller {
	return &read.Caller{Reader: w.Reader, Principal: p, Namespace: "app", Now: w.now}
}

func (w *world) table(name kalam.TableName) *kalam.Table {
	w.t.Helper()
	t, ok := w.Catalog.Table(kalam.TableID{Namespace: "app", Name: name})
	if !ok {
		w.t.Fatalf("no table %s", name)
	}
	return t
}

// row returns the mutation that inserts a row.
func row(c *read.Caller, t *kalam.Table, id int64, v string) buffer.Mutation {
	vals := []kalam.Value{kalam.BigInt(id), kalam.Text(v)}
	return buffer.Mutation{
		Table: t, Scope: c.Scope(t), Kind: kalam.ChangeInsert, Key: datatype.EncodeKey(nil, t, vals),
		Payload: datatype.EncodeRow(nil, t, vals),
	}
}

func (w *world) insert(p kalam.Principal, table kalam.TableName, id int64, v string) {
	w.t.Helper()
	_, err := w.Store.Apply(w.t.Context(), []buffer.Mutation{row(w.as(p), w.table(table), id, v)})
	must(w.t, err)
}

// text runs a query and renders its rows, or its error.
func text(c *read.Caller, sql string, o read.Options) string {
	defer c.Release()
	defer c.EndStatement()
	rows, err := c.Open(context.Background(), sql, nil, o)
	if err != nil {
		return err.Error()
	}
	defer rows.Close()
	var lines []string
	err = rows.Each(context.Background(), func(vals []kalam.Value) error {
		var cells []string
		for _, v := range vals {
			cells = append(cells, string(datatype.AppendValue(nil, v)))
		}
		lines = append(lines, strings.Join(cells, " "))
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "; ")
}

// TestOpen reads tables as several principals.
func TestOpen(t *testing.T) {
	w := newWorld(t)
	w.insert(ann, "mine", 1, "of ann")
	w.insert(bob, "mine", 1, "of bob")
	w.insert(root, "all", 1, "of all")
	w.insert(ann, "events", 1, "old")
	w.now = w.now.Add(2 * time.Hour)
	w.insert(ann, "events", 2, "new")
	service := kalam.Principal{User: "svc", Role: kalam.RoleService}
	for _, tt := range []struct {
		p         kalam.Principal
		sql, want string
		o         read.Options
	}{
		{ann, "SELECT v FROM mine", `"of ann"`, read.Options{}},
		{bob, "SELECT v FROM app.user.mine", `"of bob"`, read.Options{}},
		{service, "SELECT v FROM mine", "", read.Options{}},
		{root, "SELECT count(*) FROM mine", `"0"`, read.Options{}}, // Nobody reads the rows of others.
		{ann, "SELECT v FROM events", `"new"`, read.Options{}},
		{service, "SELECT v FROM \"all\"", `"of all"`, read.Options{}},
		{ann, "SELECT v FROM \"all\"", "relation 'app.all' does not exist", read.Options{}},
		{ann, "SELECT v FROM nosuch", "relation 'app.nosuch' does not exist", read.Options{}},
		{ann, "SELECT a.v FROM mine a JOIN mine b USING (id)", `"of ann"`, read.Options{}},
		{ann, "SELECT count(*) FROM system.users",
			"Permission denied: system.users is for the roles dba and system", read.Options{}},
		{ann, "SELECT count(*) > 1 FROM system.users", `true`, read.Options{Serve: true}},
		{ann, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'app' ORDER BY 1",
			`"events"; "mine"`, read.Options{}},
		{ann, "SELECT v FROM _target.app.mine", "relation '_target.app.mine' does not exist", read.Options{}},
		{ann, "SELECT v FROM _target.app.mine", `"of ann"`, read.Options{Composed: true}},
	} {
		if got := text(w.as(tt.p), tt.sql, tt.o); got != tt.want {
			t.Errorf("%s as %s: %s, want %s", tt.sql, tt.p.User, got, tt.want)
		}
	}
}

// TestGiven reads a relation that the caller gives, described as the columns of a table.
func TestGiven(t *testing.T) {
	w := newWorld(t)
	mine := w.table("mine")
	vals := []kalam.Value{kalam.BigInt(7), kalam.Text("given")}
	batches, err := read.BatchesOf(mine, []kalam.Row{{Seq: 1, Payload: datatype.EncodeRow(nil, mine, vals)}})
	must(t, err)
	defer read.ReleaseBatches(batches)
	source := &query.Source{Schema: datatype.TableSchema(mine), Batches: batches}
	for _, of := range []*kalam.Table{nil, mine} {
		c := w.as(ann)
		rows, err := c.Open(t.Context(), "SELECT id, v FROM _rows", nil,
			read.Options{Composed: true, Given: map[string]read.Given{"_rows": {Source: source, Of: of}}})
		must(t, err)
		want := "[]"
		if of != nil {
			want = "[pk nn uq]"
		}
		if got := fmt.Sprint(rows.Fields()[0].Flags); got != want || rows.Table() != of {
			t.Errorf("id has the flags %s of %v, want %s", got, rows.Table(), want)
		}
		rows.Close()
		rows.Close()
		c.EndStatement()
		c.Release()
	}
}

// TestTransaction reads at one point, also tables that it meets later, with the transaction's own writes, whose seqs
// nobody knows yet.
func TestTransaction(t *testing.T) {
	w := newWorld(t)
	w.insert(ann, "mine", 1, "before")
	c, mine := w.as(ann), w.table("mine")
	point := w.Store.Begin()
	defer point.Release()
	c.Txn = &read.Transaction{Point: point, Writes: map[kalam.Scope]*buffer.Writes{}}
	w.insert(ann, "mine", 2, "meanwhile")
	w.insert(ann, "events", 1, "meanwhile")
	view, err := point.View(t.Context(), buffer.TableScope{Table: mine, Scope: c.Scope(mine)})
	must(t, err)
	own, err := view.Writes()
	must(t, err)
	must(t, own.Add(t.Context(), []buffer.Mutation{row(c, mine, 3, "own")}))
	c.Txn.Writes[c.Scope(mine)] = own
	want := `"1" "before" true; "3" "own" false`
	if got := text(c, "SELECT id, v, _seq IS NOT NULL FROM mine ORDER BY id", read.Options{}); got != want {
		t.Errorf("in the transaction: %s, want %s", got, want)
	}
	key := datatype.EncodeKey(nil, mine, []kalam.Value{kalam.BigInt(3), kalam.Null()})
	found, ok, err := c.Current(t.Context(), mine, key)
	must(t, err)
	if !ok || c.ShownSeq(c.Scope(mine), found.Seq) != read.UnknownSeq {
		t.Errorf("the own row: %v, seq %d", ok, found.Seq)
	}
	if got := text(c, "SELECT count(*) FROM events", read.Options{}); got != `"0"` {
		t.Errorf("a table that was changed before it was met: %s rows", got)
	}
	if got := text(w.as(ann), "SELECT count(*) FROM mine", read.Options{}); got != `"2"` {
		t.Errorf("beside the transaction: %s rows", got)
	}
}

// TestHold keeps a table that a request uses, and finds one no more that was dropped before.
func TestHold(t *testing.T) {
	w := newWorld(t)
	mine := w.table("mine")
	c := w.as(ann)
	must(t, c.Hold(mine))
	must(t, c.Hold(mine))
	if !w.Refs.Busy(mine.Number) {
		t.Error("the table is not held")
	}
	_, err := w.Catalog.DropTable(t.Context(), mine.ID)
	must(t, err)
	late := w.as(bob)
	if err := late.Hold(mine); kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("hold of a dropped table: %v", err)
	}
	c.Release()
	c.Release()
	if w.Refs.Busy(mine.Number) {
		t.Error("the table is held after Release")
	}
	if _, err := c.Table(ast.Name{Parts: []string{"mine"}},
		access.Read); kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("name of a dropped table: %v", err)
	}
}
