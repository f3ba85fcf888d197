package catalog_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// TestRenameTable: a table that is renamed keeps its number and its folder, all its versions have the new name, and
// another may have the old one; also after the catalog was opened again.
func TestRenameTable(t *testing.T) {
	b := memory.New()
	c := open(t, b, catalog.Options{})
	first := createTable(t, c, spec("default", "t"))
	moved := alter(t, c, first.ID, "RENAME TO moved", func(x *kalam.Table) { x.ID.Name, x.Comment = "moved", "what it is" })
	moved = alter(t, c, moved.ID, "COMMENT", func(x *kalam.Table) { x.Columns[0].Comment = "the key" })
	second := createTable(t, c, spec("default", "t"))
	for range 2 {
		if got, ok := c.Table(moved.ID); !ok || got.Number != first.Number || got.FolderName() != "t" || got.Comment != "what it is" ||
			got.Columns[0].Comment != "the key" || got.SchemaVersion != 3 {
			t.Errorf("the first table is %+v", got)
		}
		if got, ok := c.Table(first.ID); !ok || got.Number != second.Number || got.FolderName() == "t" {
			t.Errorf("the second table is %+v", got)
		}
		if got, ok := c.TableInFolder("default", "t"); !ok || got.ID != moved.ID {
			t.Errorf("in the folder of the first table is %+v", got)
		}
		if got, ok := c.TableInFolder("default", second.FolderName()); !ok || got.Number != second.Number {
			t.Errorf("in the folder of the second table is %+v", got)
		}
		for _, v := range c.SchemaHistory(moved.ID) {
			if v.Table.ID != moved.ID {
				t.Errorf("version %d is called %s", v.Table.SchemaVersion, v.Table.ID)
			}
		}
		if folder := c.FreeFolder(first.ID); folder == "" || folder == second.Folder {
			t.Errorf("a third table would have the folder %q", folder)
		}
		c = open(t, b, catalog.Options{})
	}
	other := *second
	other.ID.Name = "moved"
	_, err := c.AlterTable(t.Context(), other, "RENAME")
	refused(t, err, kalam.CodeAlreadyExists, "Table default.moved already exists")
	back, err := c.DropTable(t.Context(), second.ID)
	check(t, err)
	if back.Number != second.Number {
		t.Errorf("dropped %+v", back)
	}
	again := alter(t, c, moved.ID, "RENAME TO t", func(x *kalam.Table) { x.ID.Name = "t" })
	if again.Folder != "" || again.FolderName() != "t" {
		t.Errorf("with its old name it has the folder %q", again.Folder)
	}
}

// TestAlterTableKeepsStorage: a table that was moved while it was being altered stays where it was moved to.
func TestAlterTableKeepsStorage(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	check(t, c.CreateStorage(t.Context(), catalog.Storage{ID: "cold", Type: catalog.StorageFilesystem, BaseDirectory: "/cold"}))
	first := createTable(t, c, spec("default", "t"))
	_, err := c.MoveTable(t.Context(), first.Number, "cold")
	check(t, err)
	next := *first
	next.Comment = "what it is"
	altered, err := c.AlterTable(t.Context(), next, "COMMENT")
	check(t, err)
	if altered.Options.StorageID != "cold" || altered.Comment != "what it is" {
		t.Errorf("altered %+v", altered)
	}
}
