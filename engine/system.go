package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// systemTable is one computed table: a definition and a row function. Adding
// one is an entry of systemTables; scan, filter and projection are DuckDB's.
type systemTable struct {
	*kalam.Table
	rows func(ctx context.Context, s *session) ([][]kalam.Value, error)
}

// schema returns the Arrow schema of the table's rows.
func (t *systemTable) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.Columns))
	for i := range t.Columns {
		fields[i] = datatype.ArrowField(&t.Columns[i])
	}
	return arrow.NewSchema(fields, nil)
}

// systemSource computes the rows of a system table now.
func (s *session) systemSource(ctx context.Context, t *systemTable) (query.Source, error) {
	rows, err := t.rows(ctx, s)
	if err != nil {
		return query.Source{}, err
	}
	src, release, err := rowsSource(t.schema(), rows)
	if err != nil {
		return query.Source{}, err
	}
	s.cleanup = append(s.cleanup, release)
	return src, nil
}

// columnsOf builds the columns of a system table from "name TYPE" lines; a '?'
// after the type says that it may be NULL.
func columnsOf(lines string) []kalam.Column {
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

// newSystemTables returns every computed table by its id.
func newSystemTables() map[kalam.TableID]*systemTable {
	tables := map[kalam.TableID]*systemTable{}
	for _, list := range [][]*systemTable{catalogTables(), operationTables(), informationTables()} {
		for _, t := range list {
			tables[t.ID] = t
		}
	}
	return tables
}

// systemDefinitions lists the computed tables.
func (e *Engine) systemDefinitions() []*kalam.Table {
	list := make([]*kalam.Table, 0, len(e.system))
	for _, t := range e.system {
		list = append(list, t.Table)
	}
	slices.SortFunc(list, func(a, b *kalam.Table) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return list
}

// closedTable defines a table of system that is about the whole server.
func closedTable(name kalam.TableName, columns string) *kalam.Table {
	return &kalam.Table{ID: kalam.TableID{Namespace: access.System, Name: name}, Kind: kalam.KindSystemTable, Columns: columnsOf(columns)}
}

// openTable defines a table that every role may read; rows then shows each
// principal only what is theirs.
func openTable(ns kalam.NamespaceID, name kalam.TableName, columns string) *kalam.Table {
	t := closedTable(name, columns)
	t.ID.Namespace, t.Options.Access = ns, kalam.AccessPublic
	return t
}

// Cells of system tables.

func text[T ~string](s T) kalam.Value { return kalam.Text(string(s)) }

// textOrNull is NULL for the empty string.
func textOrNull[T ~string](s T) kalam.Value {
	if s == "" {
		return kalam.Null()
	}
	return kalam.Text(string(s))
}

func jsonOrNull(s string) kalam.Value {
	if s == "" {
		return kalam.Null()
	}
	return kalam.JSON(s)
}

// timestamp is NULL for the zero time.
func timestamp(t time.Time) kalam.Value {
	if t.IsZero() {
		return kalam.Null()
	}
	return kalam.Integer(kalam.KindTimestamp, t.UnixMicro())
}

func integer(n int) kalam.Value { return kalam.Integer(kalam.KindInt, int64(n)) }

// secondsOrNull is NULL for 0.
func secondsOrNull(d time.Duration) kalam.Value { return positiveOrNull(int(d / time.Second)) }

func positiveOrNull(n int) kalam.Value {
	if n <= 0 {
		return kalam.Null()
	}
	return integer(n)
}
