package segments

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// Layouts tell where the segments of a table have the columns of one version of
// it. Columns are told apart by their ids, which survive renames and are never used
// again.
type Layouts struct {
	table     *kalam.Table
	tables    Tables
	byVersion map[int]*query.Layout
}

// Layouts returns the layouts for t. They must not be used from two goroutines at a time.
func (r *Reader) Layouts(t *kalam.Table) *Layouts { return &Layouts{table: t, tables: r.tables} }

// Of returns the layout of seg; nil says that it has the columns of the table as they
// are. A segment that was written for a later version than the table, as a change of
// the table beside a statement leaves it, is CodeConflict.
func (l *Layouts) Of(seg *kalam.Segment) (*query.Layout, error) {
	if seg.SchemaVersion == l.table.SchemaVersion {
		return nil, nil
	}
	if seg.SchemaVersion > l.table.SchemaVersion {
		return nil, kalam.TableChanged(l.table.ID)
	}
	if found, ok := l.byVersion[seg.SchemaVersion]; ok {
		return found, nil
	}
	written, ok := l.tables.TableVersion(seg.Table, seg.SchemaVersion)
	if !ok {
		return nil, kalam.Errorf(kalam.CodeCorrupt,
			"%s: it was written for version %d of table %s, of which the catalog knows nothing",
			seg.Path, seg.SchemaVersion, l.table.ID)
	}
	if l.byVersion == nil {
		l.byVersion = map[int]*query.Layout{}
	}
	l.byVersion[seg.SchemaVersion] = layoutOf(l.table, written)
	return l.byVersion[seg.SchemaVersion], nil
}

// Tells reports whether the file of seg tells by itself, by the ids of its columns, what its rows hold in the columns
// of the table: it lacks none whose older rows hold a value, and has the types of today.
func (l *Layouts) Tells(seg *kalam.Segment) (bool, error) {
	layout, err := l.Of(seg)
	if err != nil || layout == nil {
		return err == nil, err
	}
	written, _ := l.tables.TableVersion(seg.Table, seg.SchemaVersion) // Of has found it.
	for i := range l.table.Columns {
		switch at := layout.Columns[i]; {
		case at.Index < 0 && !at.Missing.IsNull():
			return false, nil
		case at.Index >= 0 && written.Columns[at.Index].Type != l.table.Columns[i].Type:
			return false, nil
		}
	}
	return true, nil
}

// layoutOf returns where a file that was written for an older version of t has the
// columns of datatype.TableSchema(t): files have their own in that order, too.
func layoutOf(t, written *kalam.Table) *query.Layout {
	at := make(map[kalam.ColumnID]int, len(written.Columns))
	for i := range written.Columns {
		at[written.Columns[i].ID] = i
	}
	n := len(written.Columns)
	out := &query.Layout{
		Version: written.SchemaVersion, Width: n + 2, Columns: make([]query.FileColumn, 0, len(t.Columns)+2),
	}
	for i := range t.Columns {
		c := query.FileColumn{Index: -1, Missing: t.Columns[i].Missing}
		if found, ok := at[t.Columns[i].ID]; ok {
			c = query.FileColumn{Index: found}
		}
		out.Columns = append(out.Columns, c)
	}
	out.Columns = append(out.Columns, query.FileColumn{Index: n}, query.FileColumn{Index: n + 1}) // _seq, _deleted
	return out
}
