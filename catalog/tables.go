package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/internal/persistent"
)

// initialChanges is SchemaVersion.Changes of the first version.
const initialChanges = "CREATE TABLE"

// DroppedTable is a table that is gone for its users, but whose rows and files
// are not yet removed.
type DroppedTable struct {
	Table     *kalam.Table
	DroppedAt time.Time
}

// Table returns the current definition of the table named id.
func (c *Catalog) Table(id kalam.TableID) (*kalam.Table, bool) {
	e, ok := c.current.Load().table(id)
	if !ok {
		return nil, false
	}
	return e.current, true
}

// TableByNumber returns the current definition of a table that is not dropped.
func (c *Catalog) TableByNumber(n kalam.TableNumber) (*kalam.Table, bool) {
	e, ok := c.current.Load().numbers.Get(n)
	if !ok {
		return nil, false
	}
	return e.current, true
}

// Tables returns the tables of a namespace by name; "" stands for all namespaces.
func (c *Catalog) Tables(ns kalam.NamespaceID) []*kalam.Table {
	v := c.current.Load()
	var list []*kalam.Table
	if ns == "" {
		list = make([]*kalam.Table, 0, v.numbers.Len())
		for _, e := range v.numbers.All() {
			list = append(list, e.current)
		}
	} else if e, ok := v.namespaces.Get(ns); ok {
		for _, t := range e.tables.All() {
			list = append(list, t.current)
		}
	}
	slices.SortFunc(list, compareTables)
	return list
}

func compareTables(a, b *kalam.Table) int {
	if n := strings.Compare(string(a.ID.Namespace), string(b.ID.Namespace)); n != 0 {
		return n
	}
	return strings.Compare(string(a.ID.Name), string(b.ID.Name))
}

func sortedTables(tables persistent.Map[kalam.TableName, *tableEntry]) []*tableEntry {
	list := make([]*tableEntry, 0, tables.Len())
	for _, e := range tables.All() {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *tableEntry) int { return compareTables(a.current, b.current) })
	return list
}

// SchemaHistory returns the versions of a table, newest first; nil when the
// table does not exist.
func (c *Catalog) SchemaHistory(id kalam.TableID) []SchemaVersion {
	e, ok := c.current.Load().table(id)
	if !ok {
		return nil
	}
	list := slices.Clone(e.versions)
	slices.Reverse(list)
	return list
}

// TableVersion returns one version of a table that is not dropped.
func (c *Catalog) TableVersion(n kalam.TableNumber, version int) (*kalam.Table, bool) {
	e, ok := c.current.Load().numbers.Get(n)
	if !ok || version < 1 || version > len(e.versions) {
		return nil, false
	}
	return e.versions[version-1].Table, true
}

// CreateTable creates a table from spec on behalf of by and returns it with its creator, number, column ids and
// schema version 1; those and the times of spec are ignored, an empty storage is local, and the folder is that of
// spec if it is FreeFolder. The right, the namespace and the storage are checked in the same write. Errors:
// CodePermissionDenied by Options.Rules, CodeResourceExhausted when a by whom they limit has Options.MaxTablesPerUser
// tables, CodeAlreadyExists, CodeNotFound (namespace, storage), CodeInvalidOperation and CodeInvalidSQL (definition).
func (c *Catalog) CreateTable(ctx context.Context, by kalam.Principal, spec kalam.Table) (*kalam.Table, error) {
	t := cloneTable(&spec)
	t.Creator = by.User
	if t.Options.StorageID == "" && t.Kind != kalam.KindStreamTable {
		t.Options.StorageID = kalam.LocalStorage
	}
	if err := checkTable(t); err != nil {
		return nil, err
	}
	for i := range t.Columns {
		t.Columns[i].ID = kalam.ColumnID(i + 1)
	}
	t.SchemaVersion = 1
	err := c.write(ctx, func(tx *tx) error {
		ns, err := tx.namespaceFor(c.rules, by, t)
		if err != nil {
			return err
		}
		if _, ok := ns.tables.Get(t.ID.Name); ok {
			return kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", t.ID)
		}
		if _, ok := tx.next.views.Get(t.ID); ok {
			return kalam.Errorf(kalam.CodeAlreadyExists, "View %s already exists", t.ID)
		}
		if n := tx.next.createdBy(by.User); c.maxTables > 0 && n >= c.maxTables && c.rules.IsLimited(by) {
			return kalam.Errorf(kalam.CodeResourceExhausted,
				"user '%s' created %d tables, which is as many as a user may (limits.max_tables_per_user)", by.User, n)
		}
		if err := tx.checkStorage(t.Options.StorageID); err != nil {
			return err
		}
		t.Number, t.CreatedAt, t.UpdatedAt = tx.next.nextTable, tx.now, tx.now
		t.Folder = tx.next.freeFolder(t.ID, t.Folder)
		tx.next.nextTable++
		if err := tx.putMeta(); err != nil {
			return err
		}
		return tx.putTable(&tableEntry{
			current: t, nextColumn: kalam.ColumnID(len(t.Columns) + 1),
			versions: []SchemaVersion{{Table: t, Changes: initialChanges, CreatedAt: tx.now}},
		})
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// namespaceFor returns the namespace in which by is to create t. Whoever may not
// create it does not learn whether the namespace exists.
func (tx *tx) namespaceFor(rules Rules, by kalam.Principal, t *kalam.Table) (*namespaceEntry, error) {
	e, ok := tx.next.namespaces.Get(t.ID.Namespace)
	ns := Namespace{ID: t.ID.Namespace}
	if ok {
		ns = e.namespace
	}
	if err := rules.CreateTable(by, t.Kind, ns); err != nil {
		return nil, err
	}
	if !ok {
		return nil, kalam.Errorf(kalam.CodeNotFound,
			"Namespace '%s' does not exist. Create it first with CREATE NAMESPACE.", ns.ID)
	}
	return e, nil
}

// createdBy counts the tables that a user created. A dropped one counts until its rows
// and files are gone, so that nobody fills the disk by creating and dropping.
func (v *version) createdBy(user kalam.UserID) (n int) {
	for _, list := range []persistent.Map[kalam.TableNumber, *tableEntry]{v.numbers, v.dropped} {
		for _, e := range list.All() {
			if e.current.Creator == user {
				n++
			}
		}
	}
	return n
}

// AlterTable stores next as the version after next.SchemaVersion, of which it is
// a changed copy, and returns it. With another name the table is renamed, all versions of it,
// and keeps its folder. Columns with id 0 are new and get ids that the
// table never used. changes goes into the history. CodeConflict with
// kalam.ErrTableChanged when another version was stored meanwhile,
// CodeTableNotFound when the table is gone, CodeAlreadyExists when another has the name.
func (c *Catalog) AlterTable(ctx context.Context, next kalam.Table, changes string) (*kalam.Table, error) {
	t := cloneTable(&next)
	if err := checkTable(t); err != nil {
		return nil, err
	}
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.numbers.Get(t.Number)
		if !ok || e.current.ID.Namespace != t.ID.Namespace {
			return tableNotFound(t.ID)
		}
		if e.current.SchemaVersion != t.SchemaVersion {
			return kalam.TableChanged(e.current.ID)
		}
		if _, taken := tx.next.table(t.ID); taken && t.ID != e.current.ID {
			return kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", t.ID)
		}
		if err := tx.next.checkViews(e.current, t); err != nil {
			return err
		}
		if err := tx.next.rights.KeepsColumns(e.current, t); err != nil {
			return err
		}
		if err := tx.checkStorage(t.Options.StorageID); err != nil {
			return err
		}
		nextColumn, err := numberColumns(e, t)
		if err != nil {
			return err
		}
		t.Kind, t.Creator, t.CreatedAt, t.UpdatedAt = e.current.Kind, e.current.Creator, e.current.CreatedAt, tx.now
		t.SchemaVersion++
		t.Folder = e.current.Folder
		t.Options.StorageID = e.current.Options.StorageID // MoveTable may have changed it, which makes no version.
		versions := e.versions
		if t.ID != e.current.ID {
			t.Folder = folderAs(t.ID.Name, e.current.FolderName())
			versions = renamed(versions, t)
		}
		versions = append(slices.Clip(versions), SchemaVersion{Table: t, Changes: changes, CreatedAt: tx.now})
		return tx.putTable(&tableEntry{current: t, nextColumn: nextColumn, versions: versions})
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// numberColumns gives ids to the new columns of t and refuses ids that are not
// of the current version.
func numberColumns(e *tableEntry, t *kalam.Table) (kalam.ColumnID, error) {
	known := make(map[kalam.ColumnID]bool, len(e.current.Columns))
	for i := range e.current.Columns {
		known[e.current.Columns[i].ID] = true
	}
	next := e.nextColumn
	for i := range t.Columns {
		c := &t.Columns[i]
		switch {
		case c.ID == 0:
			c.ID = next
			next++
		case !known[c.ID]:
			return 0, kalam.Errorf(kalam.CodeInvalidOperation,
				"column '%s' of table %s has the id %d, which is not of its last version", c.Name, t.ID, c.ID)
		default:
			known[c.ID] = false // A second column with this id is refused.
		}
	}
	return next, nil
}

// DropTable removes a table from sight and returns its last definition. The name
// is free at once. A durable note of it stays until ForgetDropped, so that the
// removal of its rows and files is not forgotten by a crash. CodeTableNotFound
// when it does not exist.
func (c *Catalog) DropTable(ctx context.Context, id kalam.TableID) (*kalam.Table, error) {
	var dropped *kalam.Table
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.table(id)
		if !ok {
			return tableNotFound(id)
		}
		if by := tx.next.readersOf(id); len(by) > 0 {
			return readBy("drop table", id, by[0])
		}
		dropped = e.current
		return tx.dropTable(e)
	})
	if err != nil {
		return nil, err
	}
	return dropped, nil
}

// Dropped returns the dropped tables that are not yet forgotten, by number.
func (c *Catalog) Dropped() []DroppedTable {
	var list []DroppedTable
	for _, e := range c.current.Load().dropped.All() {
		list = append(list, DroppedTable{Table: e.current, DroppedAt: e.droppedAt})
	}
	slices.SortFunc(list, func(a, b DroppedTable) int { return int(int64(a.Table.Number) - int64(b.Table.Number)) })
	return list
}

// DroppedTable returns a dropped table that is not yet forgotten.
func (c *Catalog) DroppedTable(n kalam.TableNumber) (*kalam.Table, bool) {
	e, ok := c.current.Load().dropped.Get(n)
	if !ok {
		return nil, false
	}
	return e.current, true
}

// ForgetDropped ends the life of a dropped table, once nothing of it is left. It
// is no error when there is no such table.
func (c *Catalog) ForgetDropped(ctx context.Context, n kalam.TableNumber) error {
	return c.write(ctx, func(tx *tx) error {
		if _, ok := tx.next.dropped.Get(n); ok {
			tx.delete(droppedKey(n))
			tx.next.dropped = tx.next.dropped.Without(n)
		}
		return nil
	})
}

func tableNotFound(id kalam.TableID) error {
	return kalam.Errorf(kalam.CodeTableNotFound, "Table %s does not exist", id)
}

func (tx *tx) putTable(e *tableEntry) error {
	tx.next.setTable(e)
	tx.next.epoch++
	return tx.put(tableKey(e.current.Number), recordOfTable(e))
}

func (tx *tx) dropTable(e *tableEntry) error {
	gone := &tableEntry{current: e.current, versions: e.versions, nextColumn: e.nextColumn, droppedAt: tx.now}
	tx.next.removeTable(gone)
	tx.next.epoch++
	tx.delete(tableKey(e.current.Number))
	if err := tx.dropRights(rights.Object{Table: e.current.Number}); err != nil {
		return err
	}
	return tx.put(droppedKey(e.current.Number), recordOfTable(gone))
}

// cloneTable returns a copy that shares nothing that can change.
func cloneTable(t *kalam.Table) *kalam.Table {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	for i := range c.Columns {
		if d := c.Columns[i].Default; d != nil {
			copied := *d
			c.Columns[i].Default = &copied
		}
	}
	c.PrimaryKey = slices.Clone(t.PrimaryKey)
	return &c
}
