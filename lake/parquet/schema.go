package parquet

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// HasColumns reports whether the columns of the file are those of t, in their order.
func (f *File) HasColumns(t *kalam.Table) bool {
	if f.meta.Schema.NumColumns() != len(t.Columns)+2 {
		return false
	}
	for i := range t.Columns {
		c, have := &t.Columns[i], f.meta.Schema.Column(i)
		r, ok, err := storedAs(have, c.Type)
		if err != nil || !ok || r.stored.Kind != c.Type.Kind || have.Name() != c.Name {
			return false
		}
		if id := have.SchemaNode().FieldID(); id >= 0 && kalam.ColumnID(id) != c.ID {
			return false
		}
	}
	return true
}

// ColumnsIn returns the columns that the file has, without the system columns. What
// is stored alike, as JSON and TEXT are, is not told apart.
func (f *File) ColumnsIn() (columns []kalam.Column, err error) {
	system := 0
	for i := range f.meta.Schema.NumColumns() {
		c := f.meta.Schema.Column(i)
		if c.Name() == kalam.ColumnSeq || c.Name() == kalam.ColumnDeleted {
			system++
			continue
		}
		id := c.SchemaNode().FieldID()
		if id < 0 {
			id = int32(i + 1)
		}
		cell, ok, err := storedAs(c, kalam.TypeOf(kalam.KindBytes))
		if err != nil || !ok {
			return nil, integrity.Corrupt(f.path, "column %s is of no type that a table has", c.Name())
		}
		columns = append(columns, kalam.Column{ID: kalam.ColumnID(id), Name: c.Name(), Type: cell.stored})
	}
	if system != 2 || f.meta.Schema.NumColumns() < 3 {
		return nil, integrity.Corrupt(f.path, "it has not the columns %s and %s", kalam.ColumnSeq, kalam.ColumnDeleted)
	}
	return columns, nil
}
