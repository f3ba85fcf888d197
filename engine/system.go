package engine

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// Namespaces whose tables the server computes.
const (
	systemNamespace      kalam.NamespaceID = "system"
	informationNamespace kalam.NamespaceID = "information_schema"
)

func isSystemNamespace(ns kalam.NamespaceID) bool {
	return ns == systemNamespace || ns == informationNamespace
}

// systemTable is one computed table: a column list and a row function. Adding
// one is an entry of systemTables; scan, filter and projection are DuckDB's.
type systemTable struct {
	id      kalam.TableID
	columns []kalam.Column
	// open says that every role may read the table; rows then shows each
	// principal only what is theirs.
	open bool
	rows func(ctx context.Context, s *session) ([][]kalam.Value, error)
}

// schema returns the Arrow schema of the table's rows.
func (t *systemTable) schema() *arrow.Schema {
	fields := make([]arrow.Field, len(t.columns))
	for i := range t.columns {
		fields[i] = datatype.ArrowField(&t.columns[i])
	}
	return arrow.NewSchema(fields, nil)
}

// systemTable resolves a name in system or information_schema for the principal.
func (s *session) systemTable(id kalam.TableID, elevated bool) (*systemTable, error) {
	t, ok := s.e.system[id]
	if !ok {
		if id.Namespace == systemNamespace && id.Name == "storage_locations" {
			return nil, kalam.Errorf(kalam.CodeTableNotFound, "relation '%s' does not exist; use system.storages", id)
		}
		return nil, tableNotFound(id.String())
	}
	if !t.open && !elevated && !s.principal.Role.IsAdmin() {
		return nil, kalam.Errorf(kalam.CodePermissionDenied, "Permission denied: %s is for the roles dba and system", id)
	}
	return t, nil
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
			tables[t.id] = t
		}
	}
	return tables
}

// systemTableIDs lists the computed tables by name.
func (e *Engine) systemTableIDs() []kalam.TableID {
	ids := make([]kalam.TableID, 0, len(e.system))
	for id := range e.system {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].String() < ids[j].String() })
	return ids
}

func sysID(name kalam.TableName) kalam.TableID {
	return kalam.TableID{Namespace: systemNamespace, Name: name}
}

func infoID(name kalam.TableName) kalam.TableID {
	return kalam.TableID{Namespace: informationNamespace, Name: name}
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
