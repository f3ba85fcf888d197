package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// TestCreators checks that a table remembers who created it, through changes, its drop
// and a restart, and that whoever may not create one learns no namespace.
func TestCreators(t *testing.T) {
	ctx, b := t.Context(), memory.New()
	c := open(t, b, catalog.Options{})
	for _, ns := range []kalam.NamespaceID{"app", "ann"} {
		_, err := c.CreateNamespace(ctx, ns, nil, false)
		check(t, err)
	}
	ann := kalam.Principal{User: "ann", Role: kalam.RoleUser}
	var texts []string
	for _, ns := range []kalam.NamespaceID{"app", "nosuch"} {
		_, err := c.CreateTable(ctx, ann, spec(ns, "t"))
		refused(t, err, kalam.CodePermissionDenied, "")
		texts = append(texts, strings.ReplaceAll(fmt.Sprint(err), string(ns), "NS"))
	}
	if texts[0] != texts[1] {
		t.Errorf("a namespace is told from none: %q", texts)
	}
	made, err := c.CreateTable(ctx, ann, spec("ann", "t"))
	check(t, err)
	stolen := *made
	stolen.Creator = "mallory"
	changed, err := c.AlterTable(ctx, stolen, "SET")
	check(t, err)
	check(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{catalog.OptionUserTables: kalam.Bool(true)}))
	_, err = c.CreateTable(ctx, ann, spec("app", "t"))
	check(t, err)
	_, err = c.DropTable(ctx, kalam.TableID{Namespace: "app", Name: "t"})
	check(t, err)
	again := open(t, b.Clone(), catalog.Options{})
	for name, c := range map[string]*catalog.Catalog{"now": c, "after a restart": again} {
		table, _ := c.Table(made.ID)
		if made.Creator != "ann" || changed.Creator != "ann" || table.Creator != "ann" ||
			c.Dropped()[0].Table.Creator != "ann" {
			t.Errorf("%s: creators %q, %q, %q, %q", name, made.Creator, changed.Creator, table.Creator,
				c.Dropped()[0].Table.Creator)
		}
	}
	for _, v := range []kalam.Value{kalam.Text("yes"), kalam.BigInt(1), kalam.Double(1)} {
		err := c.AlterNamespace(ctx, "app", map[string]kalam.Value{catalog.OptionUserTables: v})
		refused(t, err, kalam.CodeInvalidSQL, "namespace option 'user_tables' must be true or false")
	}
	check(t, c.AlterNamespace(ctx, "app", map[string]kalam.Value{catalog.OptionUserTables: kalam.Null()}))
	_, err = c.CreateTable(ctx, ann, spec("app", "u"))
	refused(t, err, kalam.CodePermissionDenied, "")
}

// TestTablesOfAUserAreBounded creates more tables than a user may, also at once.
func TestTablesOfAUserAreBounded(t *testing.T) {
	ctx := context.Background()
	c := open(t, memory.New(), catalog.Options{MaxTablesPerUser: 5})
	_, err := c.CreateNamespace(ctx, "ann", map[string]kalam.Value{catalog.OptionUserTables: kalam.Bool(true)}, false)
	check(t, err)
	ann := kalam.Principal{User: "ann", Role: kalam.RoleUser}
	create := func(by kalam.Principal, name string) error {
		_, err := c.CreateTable(ctx, by, spec("ann", kalam.TableName(name)))
		return err
	}
	var work sync.WaitGroup
	var made atomic.Int32
	for i := range 20 {
		work.Go(func() {
			if err := create(ann, fmt.Sprint("t", i)); err == nil {
				made.Add(1)
			} else if kalam.CodeOf(err) != kalam.CodeResourceExhausted {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if made.Load() != 5 {
		t.Errorf("%d tables", made.Load())
	}
	refused(t, create(ann, "more"), kalam.CodeResourceExhausted,
		"user 'ann' created 5 tables, which is as many as a user may (limits.max_tables_per_user)")
	check(t, create(kalam.Principal{User: "bob", Role: kalam.RoleUser}, "of_bob"))
	check(t, create(kalam.Principal{User: "ann", Role: kalam.RoleService}, "of_service"))

	dropped, err := c.DropTable(ctx, c.Tables("ann")[0].ID)
	check(t, err)
	_, err = c.DropTable(ctx, kalam.TableID{Namespace: "ann", Name: "of_service"})
	check(t, err)
	if kalam.CodeOf(create(ann, "early")) != kalam.CodeResourceExhausted {
		t.Error("a dropped table does not count while its rows are there")
	}
	for _, d := range c.Dropped() {
		check(t, c.ForgetDropped(ctx, d.Table.Number))
	}
	if dropped.Creator == "ann" {
		check(t, create(ann, "later"))
	}
}
