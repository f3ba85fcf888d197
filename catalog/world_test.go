package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is a bcrypt cost for tests that are not about it.
const cheap = 4

// home and away are where logins of tests come from.
var (
	home = catalog.Origin{Addr: netip.MustParseAddr("192.0.2.1")}
	away = catalog.Origin{Addr: netip.MustParseAddr("198.51.100.7")}
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var errDisk = errors.New("disk is gone")

// faulty is a backend whose Apply can be made to fail.
type faulty struct {
	*memory.Backend
	mu      sync.Mutex // guards the fields below
	applies int
	broken  bool
}

func newFaulty() *faulty { return &faulty{Backend: memory.New()} }

func (f *faulty) Apply(ctx context.Context, ops []buffer.Op) error {
	f.mu.Lock()
	f.applies++
	broken := f.broken
	f.mu.Unlock()
	if broken {
		return errDisk
	}
	return f.Backend.Apply(ctx, ops)
}

func (f *faulty) setBroken(b bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = b
}

func (f *faulty) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applies
}

func open(t testing.TB, b buffer.Backend, o catalog.Options) *catalog.Catalog {
	t.Helper()
	if o.BcryptCost == 0 {
		o.BcryptCost = cheap
	}
	o.Rules = access.Rules{}
	c, err := catalog.Open(t.Context(), b, o)
	if err != nil {
		t.Fatalf("open catalog: %v", err)
	}
	return c
}

var (
	system = kalam.Principal{User: "root", Role: kalam.RoleSystem}
	dba    = kalam.Principal{User: "dana", Role: kalam.RoleDBA}
)

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the code and the text of an error.
func refused(t testing.TB, err error, code kalam.Code, text string) {
	t.Helper()
	if err == nil || kalam.CodeOf(err) != code || text != "" && err.Error() != text {
		t.Errorf("error %v (code %d), want %q (code %d)", err, kalam.CodeOf(err), text, code)
	}
}

func createNamespace(t testing.TB, c *catalog.Catalog, id kalam.NamespaceID) {
	t.Helper()
	created, err := c.CreateNamespace(t.Context(), id, nil, false)
	if err != nil || !created {
		t.Fatalf("create namespace %s: %v, %v", id, created, err)
	}
}

// spec returns a small table.
func spec(ns kalam.NamespaceID, name kalam.TableName) kalam.Table {
	return kalam.Table{
		ID: kalam.TableID{Namespace: ns, Name: name}, Kind: kalam.KindUserTable, PrimaryKey: []int{0},
		Columns: []kalam.Column{{Name: "id", Type: kalam.TypeOf(kalam.KindBigInt)},
			{Name: "body", Type: kalam.TypeOf(kalam.KindText)}},
	}
}

func createTable(t testing.TB, c *catalog.Catalog, s kalam.Table) *kalam.Table {
	t.Helper()
	table, err := c.CreateTable(t.Context(), system, s)
	if err != nil {
		t.Fatalf("create table %s: %v", s.ID, err)
	}
	return table
}

func createUser(t testing.TB, c *catalog.Catalog, n catalog.NewUser) catalog.User {
	t.Helper()
	u, err := c.CreateUser(t.Context(), system, n)
	if err != nil {
		t.Fatalf("create user %s: %v", n.ID, err)
	}
	return u
}

// dump is everything that a catalog shows.
type dump struct {
	Namespaces []catalog.Namespace
	Tables     []*kalam.Table
	History    map[string][]catalog.SchemaVersion
	Dropped    []catalog.DroppedTable
	Users      []catalog.User
	Storages   []catalog.Storage
	Secrets    map[string]string
	Jobs       []kalam.Job
	Active     int
	NeedsSetup bool
	Keys       []catalog.APIKey
}

var secretNames = []string{"jwt", "other"}

func dumpOf(t testing.TB, c *catalog.Catalog) dump {
	t.Helper()
	d := dump{
		Namespaces: c.Namespaces(), Tables: c.Tables(""), History: map[string][]catalog.SchemaVersion{},
		Dropped: c.Dropped(),
		Users:   c.Users(), Storages: c.Storages(), Secrets: map[string]string{},
		Active: len(c.ActiveJobs()), NeedsSetup: c.NeedsSetup(),
		Keys: c.Keys(),
	}
	for _, table := range d.Tables {
		d.History[table.ID.String()] = c.SchemaHistory(table.ID)
	}
	for _, name := range secretNames {
		if s, ok := c.Secret(name); ok {
			d.Secrets[name] = s.Reveal()
		}
	}
	for j, err := range c.Jobs(t.Context()) {
		check(t, err)
		d.Jobs = append(d.Jobs, j)
	}
	slices.SortFunc(d.Jobs, func(a, b kalam.Job) int { return cmpString(string(a.ID), string(b.ID)) })
	return d
}

func cmpString(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// same compares two dumps.
func same(a, b dump) string {
	return cmp.Diff(a, b,
		cmp.Comparer(func(x, y catalog.Secret) bool { return x.Equal(y) }),
		cmp.Comparer(func(x, y catalog.APIKey) bool { return fmt.Sprint(x) == fmt.Sprint(y) }),
		cmp.Comparer(func(x, y kalam.Value) bool { return x == y }))
}

// rich fills a catalog with one of everything.
func rich(t testing.TB, c *catalog.Catalog, clk *clock) {
	t.Helper()
	ctx := t.Context()
	tick := func() { clk.add(time.Second + 1234*time.Nanosecond) }
	_, err := c.CreateNamespace(ctx, "app", map[string]kalam.Value{
		"owner": kalam.Text("é\x00'\""), "quota": kalam.BigInt(-1 << 62), "ratio": kalam.Double(0.1),
		"open": kalam.Bool(true), "shut": kalam.Bool(false),
	}, false)
	check(t, err)
	tick()
	check(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{"quota": kalam.Null(), "more": kalam.Text("")}))
	createNamespace(t, c, "gone")
	check(t, c.CreateStorage(ctx, catalog.Storage{
		ID: "s3", Name: "bucket", Description: "d", Type: catalog.StorageS3, URI: "s3://b/p", BaseDirectory: "p",
		SharedTemplate: "shared/{x}",
		UserTemplate:   "users/{y}", Credentials: "sealed", Config: `{"a":1}`,
	}))
	tick()
	richTables(t, c)
	tick()
	altered := createTable(t, c, spec("app", "altered"))
	alter(t, c, altered.ID, "ADD COLUMN c", func(x *kalam.Table) {
		x.Columns = append(x.Columns, kalam.Column{Name: "c",
			Type: kalam.DataType{Kind: kalam.KindDecimal, Precision: 12, Scale: 3}})
	})
	tick()
	alter(t, c, altered.ID, "DROP COLUMN body", func(x *kalam.Table) { x.Columns = slices.Delete(x.Columns, 1, 2) })
	alter(t, c, altered.ID, "ADD COLUMN body", func(x *kalam.Table) {
		x.Columns = append(x.Columns, kalam.Column{Name: "body", Type: kalam.TypeOf(kalam.KindJSON)})
	})
	createTable(t, c, spec("gone", "one"))
	createTable(t, c, spec("gone", "two"))
	forgotten := createTable(t, c, spec("gone", "three"))
	_, err = c.DropNamespace(ctx, "gone", true)
	check(t, err)
	check(t, c.ForgetDropped(ctx, forgotten.Number))
	richUsers(t, c, clk)
	check(t, c.PutSecret(ctx, "jwt", catalog.NewSecret("hidden")))
	check(t, c.PutSecret(ctx, "other", catalog.NewSecret("x")))
	check(t, c.PutSecret(ctx, "other", catalog.Secret{}))
	richJobs(t, c, clk)
}

func alter(t testing.TB, c *catalog.Catalog, id kalam.TableID, changes string, f func(*kalam.Table)) *kalam.Table {
	t.Helper()
	current, ok := c.Table(id)
	if !ok {
		t.Fatalf("table %s does not exist", id)
	}
	next := *current
	next.Columns = slices.Clone(current.Columns)
	f(&next)
	altered, err := c.AlterTable(t.Context(), next, changes)
	if err != nil {
		t.Fatalf("alter table %s: %v", id, err)
	}
	return altered
}

// literals is a default of every kind.
func literals() map[kalam.Kind]kalam.Value {
	return map[kalam.Kind]kalam.Value{
		kalam.KindBoolean: kalam.Bool(true), kalam.KindSmallInt: kalam.Integer(kalam.KindSmallInt, -32768),
		kalam.KindInt: kalam.Integer(kalam.KindInt, -1), kalam.KindBigInt: kalam.BigInt(-1 << 63),
		kalam.KindFloat:  kalam.Float(0.1),
		kalam.KindDouble: kalam.Double(-1e-300), kalam.KindDecimal: kalam.Decimal(-1, 1<<63, 10),
		kalam.KindText:      kalam.Text("a\x00é\xff"),
		kalam.KindTimestamp: kalam.Integer(kalam.KindTimestamp, -1),
		kalam.KindDateTime:  kalam.Integer(kalam.KindDateTime, 1),
		kalam.KindDate:      kalam.Integer(kalam.KindDate, -719162),
		kalam.KindTime:      kalam.Integer(kalam.KindTime, 86399999999),
		kalam.KindJSON:      kalam.JSON(`{"a": [1, null]}`), kalam.KindBytes: kalam.Bytes("\x00\xff"),
		kalam.KindUUID: kalam.UUID([16]byte{1, 15: 255}),
	}
}

// richTables creates a table with every type and default, and one with every option.
func richTables(t testing.TB, c *catalog.Catalog) {
	t.Helper()
	all := spec("app", "types")
	for k, v := range literals() {
		name := fmt.Sprintf("c%d", k)
		all.Columns = append(all.Columns,
			kalam.Column{Name: name, Type: kalam.TypeOf(k), NotNull: true,
				Default: &kalam.Default{Value: v, SQL: "'" + name + "'"}, Missing: v},
			kalam.Column{Name: name + "n", Type: kalam.TypeOf(k), Default: &kalam.Default{SQL: "NULL"}})
	}
	for f := kalam.DefaultNow; f <= kalam.DefaultCounter; f++ {
		all.Columns = append(all.Columns, kalam.Column{
			Name: fmt.Sprintf("f%d", f), Type: kalam.TypeOf(kalam.KindText),
			Default: &kalam.Default{Func: f, SQL: f.String(), Always: f == kalam.DefaultCounter},
		})
	}
	all.PrimaryKey = []int{1, 0}
	createTable(t, c, all)
	full := spec("app", "options")
	full.Options = kalam.TableOptions{
		StorageID: "s3", UseUserStorage: true, FlushInterval: 86399 * time.Second, FlushRows: 999999,
		ShardStrategy: "hash", DeletedRetentionHours: 24,
		FlushCron: "30 3 * * MON-FRI",
	}
	createTable(t, c, full)
	stream := spec("app", "stream")
	stream.Kind, stream.Options = kalam.KindStreamTable, kalam.TableOptions{TTL: 1500 * time.Millisecond}
	createTable(t, c, stream)
	stream.ID.Name, stream.PrimaryKey = "keyless", nil
	createTable(t, c, stream)
	for a := kalam.AccessPrivate; a <= kalam.AccessDBA; a++ {
		shared := spec("app", kalam.TableName("shared_"+a.String()))
		shared.Kind, shared.Options = kalam.KindSharedTable, kalam.TableOptions{Access: a, FlushManual: true}
		createTable(t, c, shared)
	}
}

func richUsers(t testing.TB, c *catalog.Catalog, clk *clock) {
	t.Helper()
	ctx := t.Context()
	createUser(t, c, catalog.NewUser{
		ID: "ann@é", Username: "Ann", Password: "secret password", Role: kalam.RoleService,
		Email: "a@b", Metadata: `{"x": "é"}`,
		StorageMode: catalog.StorageModeRegion, StorageID: "s3",
	})
	createUser(t, c, catalog.NewUser{ID: "auth", AuthType: catalog.AuthOAuth,
		AuthData: catalog.NewSecret(`{"provider":"p","subject":"s","more":1}`)})
	createUser(t, c, catalog.NewUser{ID: "in", Password: "right one", AuthType: catalog.AuthInternal})
	_, err := c.Login(ctx, "in", "right one", home)
	check(t, err)
	check(t, c.EndTokens(ctx, "in")) // Stores the time of the login, too.
	for _, n := range []catalog.NewKey{
		{Name: "forever", User: "in"}, {Name: "é", User: "in", Restriction: "read only, namespace app", Life: time.Hour},
		{Name: "forever", User: "ann@é", Restriction: "table app.types"},
	} {
		_, text, err := c.CreateKey(ctx, system, n)
		check(t, err)
		if _, _, ok := c.KeyOf(text.Reveal()); !ok {
			t.Error("a new key is none")
		}
	}
	check(t, c.WriteKeyUses(ctx))
	createUser(t, c, catalog.NewUser{ID: "dropped", Role: kalam.RoleDBA})
	createUser(t, c, catalog.NewUser{ID: "purging"})
	for _, id := range []kalam.UserID{"dropped", "purging"} {
		_, err := c.DropUser(ctx, system, id)
		check(t, err)
	}
	clk.add(time.Hour)
	ok, err := c.BeginPurge(ctx, "purging", clk.now())
	if err != nil || !ok {
		t.Fatalf("begin purge: %v, %v", ok, err)
	}
	check(t, c.EndTokens(ctx, "ann@é"))
}

func richJobs(t testing.TB, c *catalog.Catalog, clk *clock) {
	t.Helper()
	now := clk.now().UTC().Truncate(time.Microsecond)
	full := kalam.Job{
		ID: "FL-0123456789ab", Kind: "FL", Status: kalam.JobRunning, Namespace: "app", Table: "types", Number: 3,
		Parameters: `{"k":"é\u0000"}`,
		Key:        "flush:3", Progress: "1 of 2", Message: "m", Result: `{"r":1}`, Error: "e",
		Exception: "stack\n\ttrace", Trace: "n:1", Priority: -3,
		Retries: 1, MaxRetries: 3, MemoryUsed: 1 << 40, CPUUsed: 7, CreatedAt: now, UpdatedAt: now, StartedAt: now,
	}
	check(t, c.PutJob(t.Context(), full))
	for i := range 5 {
		j := kalam.Job{ID: kalam.JobID(fmt.Sprintf("CL-%012x", i)), Kind: "CL",
			Status: kalam.JobPending, CreatedAt: now}
		check(t, c.PutJob(t.Context(), j))
		if i > 0 {
			j.Status, j.FinishedAt = kalam.JobCompleted, now.Add(time.Duration(i)*time.Hour)
			check(t, c.PutJob(t.Context(), j))
		}
	}
}

// records returns every record of the catalog as it is stored.
func records(t testing.TB, b buffer.Backend) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	check(t, b.Scan(t.Context(), catalog.Keyspace, nil, nil, func(key, value []byte) error {
		all[string(key)] = slices.Clone(value)
		return nil
	}))
	return all
}

func sortedKeys(m map[string][]byte) []string { return slices.Sorted(maps.Keys(m)) }
