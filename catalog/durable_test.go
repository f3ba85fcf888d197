package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// TestReopen checks that a catalog is the same after a crash: a clone of the
// backend is what would be on disk.
func TestReopen(t *testing.T) {
	clk, b := newClock(), memory.New()
	c := open(t, b, catalog.Options{Now: clk.now})
	rich(t, c, clk)
	want := dumpOf(t, c)
	clk.add(-48 * time.Hour) // The clock may have been set back.
	again := open(t, b.Clone(), catalog.Options{Now: clk.now})
	if d := same(want, dumpOf(t, again)); d != "" {
		t.Fatalf("after a restart (-want +got):\n%s", d)
	}
	checkRich(t, c)
	checkRich(t, again)

	// Numbers go on where they were, those of forgotten tables too.
	highest := kalam.TableNumber(0)
	for _, d := range want.Dropped {
		highest = max(highest, d.Table.Number)
	}
	if n := createTable(t, again, spec("app", "next")).Number; n != highest+2 {
		t.Errorf("next number %d after %d and a forgotten one", n, highest)
	}
	// A column id is not given again, although column body was dropped.
	altered := alter(t, again, kalam.TableID{Namespace: "app", Name: "altered"}, "ADD", func(x *kalam.Table) {
		x.Columns = append(x.Columns, kalam.Column{Name: "last", Type: kalam.TypeOf(kalam.KindInt)})
	})
	var ids []kalam.ColumnID
	for _, col := range altered.Columns {
		ids = append(ids, col.ID)
	}
	if !slices.Equal(ids, []kalam.ColumnID{1, 3, 4, 5}) {
		t.Errorf("column ids %v", ids)
	}
}

// checkRich spot-checks what rich made, so that a dump that is equal but empty
// does not pass.
func checkRich(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	ns, _ := c.Namespace("app")
	if len(ns.Options) != 5 || ns.Options["owner"] != kalam.Text("é\x00'\"") ||
		ns.Options["ratio"] != kalam.Double(0.1) ||
		ns.Options["more"] != kalam.Text("") {
		t.Errorf("namespace %+v", ns)
	}
	if _, ok := c.Namespace("gone"); ok {
		t.Error("a dropped namespace exists")
	}
	table, ok := c.Table(kalam.TableID{Namespace: "app", Name: "types"})
	if !ok || len(table.Columns) != 2+2*len(kalam.Kinds())+int(kalam.DefaultCounter) ||
		!slices.Equal(table.PrimaryKey, []int{1, 0}) || !table.Columns[1].NotNull {
		t.Fatalf("table %+v", table)
	}
	byNumber, _ := c.TableByNumber(table.Number)
	version, _ := c.TableVersion(table.Number, 1)
	if byNumber != table || version != table {
		t.Error("a table differs by the way to it")
	}
	for k, v := range literals() {
		if got := table.Columns[table.ColumnIndex(fmt.Sprintf("c%d", k))].Default; got.Value != v {
			t.Errorf("default of %s: %v, want %v", k, got.Value, v)
		}
	}
	history := c.SchemaHistory(kalam.TableID{Namespace: "app", Name: "altered"})
	var changes []string
	for _, v := range history {
		changes = append(changes, fmt.Sprint(v.Table.SchemaVersion, " ", v.Changes))
	}
	if got := strings.Join(changes,
		", "); got != "4 ADD COLUMN body, 3 DROP COLUMN body, 2 ADD COLUMN c, 1 CREATE TABLE" {
		t.Errorf("history %s", got)
	}
	if len(c.Dropped()) != 2 {
		t.Errorf("dropped %+v", c.Dropped())
	}
	if u, _ := c.AnyUser("purging"); u.PurgingAt.IsZero() || u.DeletedAt.IsZero() {
		t.Errorf("user %+v", u)
	}
	if len(c.ActiveJobs()) != 2 {
		t.Errorf("active jobs %+v", c.ActiveJobs())
	}
}

// TestWritesAreAtomic makes the backend fail in every kind of write: nothing has
// changed then, in memory and on disk, and the same write works afterwards.
func TestWritesAreAtomic(t *testing.T) {
	ctx := context.Background()
	password, role := "new password", kalam.RoleDBA
	writes := []struct {
		name string
		do   func(c *catalog.Catalog, clk *clock) error
	}{
		{"CreateNamespace", func(c *catalog.Catalog, _ *clock) error {
			created, err := c.CreateNamespace(ctx, "fresh", nil, true)
			if created != (err == nil) {
				t.Errorf("created %v with %v", created, err)
			}
			return err
		}},
		{"AlterNamespace", func(c *catalog.Catalog, _ *clock) error {
			return c.AlterNamespace(ctx, "app", map[string]kalam.Value{"owner": kalam.Null()})
		}},
		{"DropNamespace", func(c *catalog.Catalog, _ *clock) error {
			dropped, err := c.DropNamespace(ctx, "app", true)
			if (len(dropped) > 0) != (err == nil) {
				t.Errorf("%d dropped with %v", len(dropped), err)
			}
			return err
		}},
		{"CreateTable", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.CreateTable(ctx, system, spec("app", "fresh"))
			return err
		}},
		{"AlterTable", func(c *catalog.Catalog, _ *clock) error {
			current, _ := c.Table(kalam.TableID{Namespace: "app", Name: "altered"})
			_, err := c.AlterTable(ctx, *current, "SET")
			return err
		}},
		{"DropTable", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.DropTable(ctx, kalam.TableID{Namespace: "app", Name: "types"})
			return err
		}},
		{"ForgetDropped", func(c *catalog.Catalog, _ *clock) error {
			return c.ForgetDropped(ctx,
				c.Dropped()[0].Table.Number)
		}},
		{"CreateStorage", func(c *catalog.Catalog, _ *clock) error {
			return c.CreateStorage(ctx, catalog.Storage{ID: "fresh", Type: catalog.StorageFilesystem})
		}},
		{"AlterStorage", func(c *catalog.Catalog, _ *clock) error {
			return c.AlterStorage(ctx, catalog.Storage{ID: "s3", Name: "renamed"})
		}},
		{"DropStorage", func(c *catalog.Catalog, _ *clock) error { return c.DropStorage(ctx, "unused") }},
		{"PutSecret", func(c *catalog.Catalog, _ *clock) error {
			return c.PutSecret(ctx, "jwt",
				catalog.NewSecret("other"))
		}},
		{"remove secret", func(c *catalog.Catalog,
			_ *clock) error {
			return c.PutSecret(ctx, "jwt", catalog.Secret{})
		}},
		{"CreateUser", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.CreateUser(ctx, system, catalog.NewUser{ID: "fresh"})
			return err
		}},
		{"AlterUser", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.AlterUser(ctx, system, "in", catalog.UserChange{Password: &password, Role: &role})
			return err
		}},
		{"DropUser", func(c *catalog.Catalog, _ *clock) error { _, err := c.DropUser(ctx, system, "in"); return err }},
		{"RestoreUser", func(c *catalog.Catalog, _ *clock) error {
			_,
				err := c.RestoreUser(ctx, system, "dropped")
			return err
		}},
		{"CreateKey", func(c *catalog.Catalog, _ *clock) error {
			_, text, err := c.CreateKey(ctx, system, catalog.NewKey{Name: "fresh", User: "in"})
			if text.IsEmpty() != (err != nil) {
				t.Errorf("a text with %v", err)
			}
			return err
		}},
		{"DropKey", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.DropKey(ctx, system, c.Keys()[0].ID)
			return err
		}},
		{"RevokeTokens", func(c *catalog.Catalog, _ *clock) error { return c.RevokeTokens(ctx, system, "in") }},
		{"EndTokens", func(c *catalog.Catalog, _ *clock) error { return c.EndTokens(ctx, "in") }},
		{"BeginPurge", func(c *catalog.Catalog, clk *clock) error {
			ok, err := c.BeginPurge(ctx, "dropped", clk.now())
			if ok != (err == nil) {
				t.Errorf("purge %v with %v", ok, err)
			}
			return err
		}},
		{"FinishPurge", func(c *catalog.Catalog, _ *clock) error { return c.FinishPurge(ctx, "purging") }},
		{"Setup", func(c *catalog.Catalog, _ *clock) error {
			_, err := c.Setup(ctx, catalog.NewUser{ID: "first", Password: "long enough"}, "long enough too")
			return err
		}},
		{"PutJob", func(c *catalog.Catalog, clk *clock) error {
			return c.PutJob(ctx, kalam.Job{ID: "FL-0123456789ab", Status: kalam.JobFailed, FinishedAt: clk.now()})
		}},
		{"DeleteJobsBefore", func(c *catalog.Catalog, clk *clock) error {
			_, err := c.DeleteJobsBefore(ctx, clk.now().Add(time.Hour*2+1))
			return err
		}},
	}
	clk, base := newClock(), memory.New()
	first := open(t, base, catalog.Options{Now: clk.now})
	rich(t, first, clk)
	check(t, first.CreateStorage(ctx, catalog.Storage{ID: "unused", Type: catalog.StorageFilesystem}))
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			b := &faulty{Backend: base.Clone()}
			c := open(t, b, catalog.Options{Now: clk.now})
			before := dumpOf(t, c)
			clk.add(time.Second)
			b.setBroken(true)
			if err := w.do(c, clk); !errors.Is(err, errDisk) {
				t.Fatalf("error %v", err)
			}
			if d := same(before, dumpOf(t, c)); d != "" {
				t.Errorf("changed by a failed write:\n%s", d)
			}
			if d := same(before, dumpOf(t, open(t, b.Clone(), catalog.Options{Now: clk.now}))); d != "" {
				t.Errorf("changed on disk by a failed write:\n%s", d)
			}
			b.setBroken(false)
			check(t, w.do(c, clk))
			after := dumpOf(t, c)
			if same(before, after) == "" {
				t.Error("the write changed nothing")
			}
			if d := same(after, dumpOf(t, open(t, b.Clone(), catalog.Options{Now: clk.now}))); d != "" {
				t.Errorf("on disk (-want +got):\n%s", d)
			}
		})
	}
}

// TestFailedFirstStart checks that a first start that fails is none.
func TestFailedFirstStart(t *testing.T) {
	b := newFaulty()
	b.setBroken(true)
	if _, err := catalog.Open(t.Context(), b, catalog.Options{BcryptCost: cheap}); !errors.Is(err, errDisk) {
		t.Fatalf("open: %v", err)
	}
	b.setBroken(false)
	c := open(t, b, catalog.Options{})
	if _, ok := c.Namespace(kalam.DefaultNamespace); !ok || len(c.Users()) != 2 || len(c.Storages()) != 1 {
		t.Errorf("bootstrap: %+v", dumpOf(t, c))
	}
}

// TestLoginOnAFullDisk checks that a login writes nothing that it needs: wrong and
// right passwords are told apart, an old hash stays, the time of the login is stored
// by Close when there is room again.
func TestLoginOnAFullDisk(t *testing.T) {
	clk, b := newClock(), newFaulty()
	createUser(t, open(t, b, catalog.Options{Now: clk.now}), catalog.NewUser{ID: "ann", Password: "right one"})
	for _, cost := range []int{cheap, cheap + 1} {
		c := open(t, b, catalog.Options{Now: clk.now, BcryptCost: cost})
		b.setBroken(true)
		for range catalog.MaxFailedLogins - 1 {
			if _, err := c.Login(t.Context(), "ann", "wrong", home); !errors.Is(err, catalog.ErrInvalidCredentials) {
				t.Errorf("cost %d: wrong password: %v", cost, err)
			}
		}
		clk.add(time.Second)
		writes := b.count()
		u, err := c.Login(t.Context(), "ann", "right one", home)
		if err != nil || !u.LastLogin.Equal(clk.now()) {
			t.Errorf("cost %d: %+v, %v", cost, u, err)
		}
		if n := b.count() - writes; n != cost-cheap {
			t.Errorf("cost %d: %d writes, want one of a better hash only", cost, n)
		}
		if u, _ := c.User("ann"); !u.LastLogin.Equal(clk.now()) || !u.LastSeen.Equal(clk.now()) {
			t.Errorf("cost %d: %+v", cost, u)
		}
		b.setBroken(false)
		check(t, c.Close())
		again := open(t, b.Clone(), catalog.Options{Now: clk.now})
		if u, _ := again.User("ann"); !u.LastLogin.Equal(clk.now()) {
			t.Errorf("cost %d: after a restart: %+v", cost, u)
		}
	}
}

// TestLastSeen checks that it is kept in memory, and stored by Close.
func TestLastSeen(t *testing.T) {
	clk, b := newClock(), newFaulty()
	c := open(t, b, catalog.Options{Now: clk.now})
	createUser(t, c, catalog.NewUser{ID: "ann"})
	createUser(t, c, catalog.NewUser{ID: "bob"})
	writes := b.count()
	clk.add(time.Minute)
	seen := clk.now()
	c.Seen("ann")
	c.Seen("nobody")
	if u, _ := c.User("ann"); !u.LastSeen.Equal(seen) || b.count() != writes {
		t.Errorf("seen %s, %d writes", u.LastSeen, b.count()-writes)
	}
	check(t, c.Close())
	if b.count() != writes+1 {
		t.Errorf("Close made %d writes", b.count()-writes)
	}
	again := open(t, b.Clone(), catalog.Options{Now: clk.now})
	if u, _ := again.User("ann"); !u.LastSeen.Equal(seen) {
		t.Errorf("after a restart: %s", u.LastSeen)
	}
	if u, _ := again.User("bob"); !u.LastSeen.IsZero() {
		t.Errorf("bob was seen at %s", u.LastSeen)
	}
	check(t, again.Close())
}

func TestWaitForTheWriterObeysTheContext(t *testing.T) {
	b := &stuck{Backend: memory.New(), entered: make(chan struct{}), gate: make(chan struct{})}
	c := open(t, b, catalog.Options{})
	b.on = true
	done := make(chan error)
	go func() { done <- c.PutSecret(context.Background(), "jwt", catalog.NewSecret("x")) }()
	<-b.entered
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if err := c.PutSecret(ctx, "other", catalog.NewSecret("y")); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	if _, ok := c.Secret("jwt"); ok {
		t.Error("visible before it is durable")
	}
	close(b.gate)
	check(t, <-done)
	if _, ok := c.Secret("jwt"); !ok {
		t.Error("not visible")
	}
}
