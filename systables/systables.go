package systables

import (
	"context"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
)

var kindWords = map[kalam.TableKind]string{
	kalam.KindUserTable: "USER", kalam.KindSharedTable: "SHARED", kalam.KindStreamTable: "STREAM",
}

// Viewer is who reads a computed table.
type Viewer struct {
	Principal kalam.Principal
	Access    *access.Resolver
	Dropped   bool // A filter of the reader names deleted_at: dropped users are shown.
}

// Table is one computed table: its definition, and the function that gives its rows, which are filtered, sorted and
// projected elsewhere. An open table shows each viewer only what is theirs.
type Table struct {
	*kalam.Table
	Rows func(context.Context, Viewer) ([][]kalam.Value, error)
}

// Schema returns the Arrow schema of the table's rows.
func (t *Table) Schema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.Columns))
	for i := range t.Columns {
		fields[i] = datatype.ArrowField(&t.Columns[i])
	}
	return arrow.NewSchema(fields, nil)
}

// Closed defines a table of system that is about the whole server. columns are lines as Columns takes them.
func Closed(name kalam.TableName, columns string) *kalam.Table {
	return &kalam.Table{ID: kalam.TableID{Namespace: access.System, Name: name}, Kind: kalam.KindSystemTable,
		Columns: Columns(columns)}
}

// Open defines a table that every role may read.
func Open(ns kalam.NamespaceID, name kalam.TableName, columns string) *kalam.Table {
	t := Closed(name, columns)
	t.ID.Namespace, t.Options.Access = ns, kalam.AccessPublic
	return t
}

// Registry holds the computed tables of one server. It does not change.
type Registry struct{ tables map[kalam.TableID]*Table }

// NewRegistry returns a registry of the tables of all owners.
func NewRegistry(owners ...[]Table) *Registry {
	r := &Registry{tables: map[kalam.TableID]*Table{}}
	for _, list := range owners {
		for i := range list {
			r.tables[list[i].ID] = &list[i]
		}
	}
	return r
}

// Table returns the table with an id, nil if there is none.
func (r *Registry) Table(id kalam.TableID) *Table { return r.tables[id] }

// Definitions returns the definitions of all tables, as package access wants them.
func (r *Registry) Definitions() []*kalam.Table {
	out := make([]*kalam.Table, 0, len(r.tables))
	for _, t := range r.tables {
		out = append(out, t.Table)
	}
	return out
}

// Columns builds the columns of a system table from "name TYPE" lines; a '?'
// after the type says that it may be NULL.
func Columns(lines string) []kalam.Column {
	var cols []kalam.Column
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		for _, def := range strings.Split(line, ",") {
			name, typ, _ := strings.Cut(strings.TrimSpace(def), " ")
			c := kalam.Column{ID: kalam.ColumnID(len(cols) + 1), Name: name, NotNull: true}
			if trimmed, ok := strings.CutSuffix(typ, "?"); ok {
				typ, c.NotNull = trimmed, false
			}
			c.Type = kalam.TypeOf(kindNamed(typ))
			cols = append(cols, c)
		}
	}
	return cols
}

func kindNamed(name string) kalam.Kind {
	for _, k := range kalam.Kinds() {
		if k.String() == name {
			return k
		}
	}
	return kalam.KindText
}

// SystemColumns are the columns that every stored table has beside its own.
func SystemColumns() []kalam.Column {
	return []kalam.Column{
		{Name: kalam.ColumnSeq, Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
		{Name: kalam.ColumnDeleted, Type: kalam.TypeOf(kalam.KindBoolean), NotNull: true},
	}
}

// Cells of system tables.

// Text is a text of any type.
func Text[T ~string](s T) kalam.Value { return kalam.Text(string(s)) }

// TextOrNull is NULL for the empty string.
func TextOrNull[T ~string](s T) kalam.Value {
	if s == "" {
		return kalam.Null()
	}
	return kalam.Text(string(s))
}

// JSONOrNull is NULL for the empty string.
func JSONOrNull(s string) kalam.Value {
	if s == "" {
		return kalam.Null()
	}
	return kalam.JSON(s)
}

// Timestamp is NULL for the zero time.
func Timestamp(t time.Time) kalam.Value {
	if t.IsZero() {
		return kalam.Null()
	}
	return kalam.Integer(kalam.KindTimestamp, t.UnixMicro())
}

// Int is an INT.
func Int(n int) kalam.Value { return kalam.Integer(kalam.KindInt, int64(n)) }

// SecondsOrNull is NULL for 0.
func SecondsOrNull(d time.Duration) kalam.Value { return PositiveOrNull(int(d / time.Second)) }

// PositiveOrNull is NULL for 0 and less.
func PositiveOrNull(n int) kalam.Value {
	if n <= 0 {
		return kalam.Null()
	}
	return Int(n)
}
