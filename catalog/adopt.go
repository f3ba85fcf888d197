package catalog

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// adoptedChanges is SchemaVersion.Changes of a version that is known from files of the
// lake only.
const adoptedChanges = "adopted from the files of the lake"

// AdoptedTable is a table whose definition was found in the files of a lake.
type AdoptedTable struct {
	Versions   []*kalam.Table // Those that are known, by rising schema version.
	NextColumn kalam.ColumnID // Above every id that a file uses.
}

// Adopt creates tables with the numbers, column ids and schema versions that they had,
// and the namespaces that they need. Of versions that are not known no file is left;
// they get the definition of the next one that is. Numbers of later tables are above
// next.
func (c *Catalog) Adopt(ctx context.Context, tables []AdoptedTable, next kalam.TableNumber) error {
	return c.write(ctx, func(tx *tx) error {
		for i := range tables {
			t := &tables[i]
			id := t.Versions[len(t.Versions)-1].ID
			if _, ok := tx.next.namespaces.Get(id.Namespace); !ok {
				n := Namespace{ID: id.Namespace, CreatedAt: tx.now, UpdatedAt: tx.now}
				if err := tx.putNamespace(n); err != nil {
					return err
				}
			}
			if _, ok := tx.next.table(id); ok {
				return kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", id)
			}
			e, err := tx.adopt(t)
			if err != nil {
				return err
			}
			tx.next.nextTable = max(tx.next.nextTable, e.current.Number+1)
			if err := tx.putTable(e); err != nil {
				return err
			}
		}
		tx.next.nextTable = max(tx.next.nextTable, next)
		tx.next.epoch++
		return tx.putMeta()
	})
}

// adopt makes the entry of a table.
func (tx *tx) adopt(t *AdoptedTable) (*tableEntry, error) {
	e := &tableEntry{nextColumn: t.NextColumn}
	newest := t.Versions[len(t.Versions)-1]
	for n := 1; n <= newest.SchemaVersion; n++ {
		at := slices.IndexFunc(t.Versions, func(v *kalam.Table) bool { return v.SchemaVersion >= n })
		v := cloneTable(t.Versions[at])
		v.SchemaVersion, v.Number, v.Kind = n, newest.Number, newest.Kind
		v.ID, v.Folder, v.CreatedAt, v.Creator = newest.ID, newest.Folder, newest.CreatedAt, newest.Creator
		if err := tx.checkAdopted(v); err != nil {
			return nil, err
		}
		for i := range v.Columns {
			e.nextColumn = max(e.nextColumn, v.Columns[i].ID+1)
		}
		e.versions = append(e.versions, SchemaVersion{Table: v, Changes: adoptedChanges, CreatedAt: v.UpdatedAt})
		e.current = v
	}
	return e, nil
}

// checkAdopted makes sure that a version is one that CREATE TABLE or ALTER TABLE could
// have made.
func (tx *tx) checkAdopted(v *kalam.Table) error {
	if err := checkTable(v); err != nil {
		return err
	}
	return tx.checkStorage(v.Options.StorageID)
}

// CheckAdopted reports why a table cannot be adopted: its definition breaks a rule, as
// that of a newer version of the program may.
func CheckAdopted(t *kalam.Table) error { return checkTable(cloneTable(t)) }

// adoptingRecord says that the backend is being filled by an adoption.
type adoptingRecord struct {
	Since time.Time `json:"since"`
}

// IsAdopting reports whether an adoption of a lake into a backend was begun and not
// finished. It needs no Catalog.
func IsAdopting(ctx context.Context, b buffer.Reader) (bool, error) {
	_, found, err := reader{b}.get(ctx, keyAdopting)
	if errors.Is(err, buffer.ErrKeyspaceNotFound) {
		return false, nil
	}
	return found, err
}

// BeginAdoption notes that an adoption begins, and then removes what an earlier one
// left in the catalog. It needs no Catalog.
func BeginAdoption(ctx context.Context, b buffer.Backend, now time.Time) error {
	s := store{backend: b}
	if err := s.create(ctx); err != nil {
		return err
	}
	raw, err := encodeRecord(keyAdopting, adoptingRecord{Since: now.UTC().Truncate(time.Microsecond)})
	if err != nil {
		return err
	}
	if err := s.apply(ctx, []operation{{key: keyAdopting, value: raw}}); err != nil {
		return err
	}
	var ops []operation
	err = b.Keys(ctx, Keyspace, nil, nil, func(key []byte) error {
		if string(key) != keyAdopting {
			ops = append(ops, operation{key: string(key)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ops, closeBatch) {
		if err := s.apply(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// FinishAdoption writes the lake's record and ends the note, in one step: from then on
// the backend belongs to the lake.
func FinishAdoption(ctx context.Context, b buffer.Backend, r LakeRecord) error {
	raw, err := encodeRecord(keyLake, r)
	if err != nil {
		return err
	}
	return store{backend: b}.apply(ctx, []operation{{key: keyLake, value: raw}, {key: keyAdopting}})
}
