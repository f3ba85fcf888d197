package catalog

import (
	"fmt"
	"slices"

	"github.com/kalamlake/kalam"
)

// FreeFolder returns what kalam.Table.Folder of a new table named id is to be: "" where its name will do, which it does
// unless the files of a table that was renamed lie there.
func (c *Catalog) FreeFolder(id kalam.TableID) kalam.TableName {
	return c.current.Load().freeFolder(id, "")
}

// TableInFolder returns the table whose files lie in a folder.
func (c *Catalog) TableInFolder(ns kalam.NamespaceID, folder kalam.TableName) (*kalam.Table, bool) {
	v := c.current.Load()
	if e, ok := v.table(kalam.TableID{Namespace: ns, Name: folder}); ok && e.current.Folder == "" {
		return e.current, true
	}
	return v.movedTo(ns, folder)
}

// movedTo returns the table that has a folder of another name than its own.
func (v *version) movedTo(ns kalam.NamespaceID, folder kalam.TableName) (*kalam.Table, bool) {
	e, ok := v.namespaces.Get(ns)
	if !ok || v.moved == 0 {
		return nil, false
	}
	for _, t := range e.tables.All() {
		if t.current.Folder == folder {
			return t.current, true
		}
	}
	return nil, false
}

// freeFolder returns the folder of a new table; wanted is taken if it is free.
func (v *version) freeFolder(id kalam.TableID, wanted kalam.TableName) kalam.TableName {
	const room = 40 // Bytes of the name: with the number it stays an identifier.
	name := id.Name
	if wanted != "" {
		name = wanted
	}
	for n := v.nextTable; ; n++ {
		_, moved := v.movedTo(id.Namespace, name)
		other, named := v.table(kalam.TableID{Namespace: id.Namespace, Name: name})
		if !moved && (!named || other.current.Folder != "") {
			return folderAs(id.Name, name)
		}
		name = kalam.TableName(fmt.Sprintf("%.*s_%d", room, id.Name, n))
	}
}

// folderAs returns the Folder of a table of a name whose files lie in a folder.
func folderAs(name, folder kalam.TableName) kalam.TableName {
	if name == folder {
		return ""
	}
	return folder
}

// renamed returns the versions of a table with the name and the folder of t.
func renamed(versions []SchemaVersion, t *kalam.Table) []SchemaVersion {
	out := slices.Clone(versions)
	for i := range out {
		v := *out[i].Table
		v.ID, v.Folder = t.ID, t.Folder
		out[i].Table = &v
	}
	return out
}
