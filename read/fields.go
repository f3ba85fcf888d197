package read

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
)

// Field is one column of a result. Flags are among pk, nn and uq, in this order.
type Field struct {
	Name  string
	Type  kalam.DataType
	Flags []string
}

// Fields describes the result columns for the wire. The key flags come from the
// table when the query reads exactly one.
func (r *Rows) Fields() []Field {
	schema := r.Schema()
	fields := make([]Field, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = Field{Name: f.Name, Type: datatype.TypeOfArrow(f)}
	}
	t := r.Table()
	if t == nil {
		return fields
	}
	for i := range fields {
		fields[i] = tableField(t, fields[i])
	}
	return fields
}

// tableField adds what the table knows of a column that kept its name and type: the
// flags pk, nn and uq.
func tableField(t *kalam.Table, f Field) Field {
	switch f.Name {
	case kalam.ColumnSeq, kalam.ColumnDeleted:
		f.Flags = []string{"nn"}
		return f
	}
	i := t.ColumnIndex(f.Name)
	if i < 0 {
		return f
	}
	c := &t.Columns[i]
	if c.Type != f.Type {
		return f
	}
	switch {
	case len(t.PrimaryKey) == 1 && t.IsKey(i):
		f.Flags = []string{"pk", "nn", "uq"}
	case t.IsKey(i):
		f.Flags = []string{"pk", "nn"}
	case c.NotNull:
		f.Flags = []string{"nn"}
	}
	return f
}

// Column is one result column that is a column of a table as it is.
type Column struct {
	Field
	Index int // Into the table's columns, or one of the two below.
}

// The indexes of the system columns.
const (
	SeqColumn     = -1
	DeletedColumn = -2
)

// Columns maps the select list of a point read to columns; ok is false when an item is not
// one of the table's.
func Columns(t *kalam.Table, p *dialect.Point) ([]Column, bool) {
	if p.Columns == nil {
		out := make([]Column, 0, len(t.Columns)+2)
		for i := range t.Columns {
			out = append(out, ColumnOf(t, i, t.Columns[i].Name))
		}
		return append(out, systemOutput(t, kalam.ColumnSeq, kalam.ColumnSeq),
			systemOutput(t, kalam.ColumnDeleted, kalam.ColumnDeleted)), true
	}
	out := make([]Column, 0, len(p.Columns))
	for _, c := range p.Columns {
		switch i := t.ColumnIndex(c.Column.Name); {
		case i >= 0:
			out = append(out, ColumnOf(t, i, c.As))
		case c.Column.Name == kalam.ColumnSeq || c.Column.Name == kalam.ColumnDeleted:
			out = append(out, systemOutput(t, c.Column.Name, c.As))
		default:
			return nil, false
		}
	}
	return out, true
}

// ColumnOf returns column i under a name.
func ColumnOf(t *kalam.Table, i int, name string) Column {
	return Column{Field: tableField(t, Field{Name: name, Type: t.Columns[i].Type}), Index: i}
}

func systemOutput(t *kalam.Table, column, name string) Column {
	out := Column{Field: Field{Name: name, Type: kalam.TypeOf(kalam.KindBigInt)}, Index: SeqColumn}
	if column == kalam.ColumnDeleted {
		out.Type, out.Index = kalam.TypeOf(kalam.KindBoolean), DeletedColumn
	}
	out.Field = tableField(t, out.Field)
	return out
}

// ColumnValues returns the values of the columns in a stored row.
func ColumnValues(t *kalam.Table, out []Column, row kalam.Row) ([]kalam.Value, error) {
	stored, err := datatype.DecodeRow(t, row.Payload, nil)
	if err != nil {
		return nil, err
	}
	vals := make([]kalam.Value, len(out))
	for i, c := range out {
		switch c.Index {
		case SeqColumn:
			vals[i] = SeqValue(row.Seq)
		case DeletedColumn:
			vals[i] = kalam.Bool(row.Deleted)
		default:
			vals[i] = stored[c.Index]
		}
	}
	return vals, nil
}
