package complete

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// Names are the namespaces, tables and columns of a server at one time. They are
// immutable.
type Names struct {
	namespaces []string // Sorted.
	tables     map[string][]string
	columns    map[string][]column // By namespace, NUL and table.
}

// column is a column of a table: its kind is its data type.
type column struct{ name, kind string }

func columnsKey(namespace, table string) string { return namespace + "\x00" + table }

func (n *Names) tablesOf(namespace string) []string { return n.tables[namespace] }

func (n *Names) columnsOf(namespace, table string) []column {
	return n.columns[columnsKey(namespace, table)]
}

// eachUserColumn calls f for the columns of all tables but the server's own.
func (n *Names) eachUserColumn(f func(column)) {
	for _, ns := range n.namespaces {
		if isServerNamespace(ns) {
			continue
		}
		for _, t := range n.tables[ns] {
			for _, c := range n.columnsOf(ns, t) {
				f(c)
			}
		}
	}
}

// isServerNamespace reports whether the tables of a namespace are the server's.
func isServerNamespace(ns string) bool { return ns == "system" || ns == "information_schema" }

// namesTimeout bounds one refresh.
const namesTimeout = 30 * time.Second

// NameCache keeps the names of a server for completion. They are read in the
// background: at once, and again after each refresh. A failure keeps what there
// is. It is safe for concurrent use.
type NameCache struct {
	current atomic.Pointer[Names]
	query   func(ctx context.Context, sql string) (*link.Response, error)
	again   chan struct{} // Holds a value while a refresh is due.
	first   chan struct{} // Closed after the first refresh, which may have failed.
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// NewNameCache returns a cache that asks by query. The caller closes it.
//
//nolint:contextcheck // The cache ends by Close.
func NewNameCache(query func(context.Context, string) (*link.Response, error)) *NameCache {
	ctx, cancel := context.WithCancel(context.Background())
	c := &NameCache{query: query, again: make(chan struct{}, 1), first: make(chan struct{}), cancel: cancel}
	c.current.Store(&Names{})
	c.Refresh()
	c.done.Add(1)
	go c.run(ctx)
	return c
}

// Names returns the names that were read last, never nil.
func (c *NameCache) Names() *Names { return c.current.Load() }

// Refresh asks for the names anew, soon.
func (c *NameCache) Refresh() {
	select {
	case c.again <- struct{}{}:
	default: // It is due already.
	}
}

// Ready waits until the names were read once, but not for long.
func (c *NameCache) Ready(limit time.Duration) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-c.first:
	case <-t.C:
	}
}

// Close ends the work in the background and waits for its end.
func (c *NameCache) Close() {
	c.cancel()
	c.done.Wait()
}

func (c *NameCache) run(ctx context.Context) {
	defer c.done.Done()
	first := sync.OnceFunc(func() { close(c.first) })
	for {
		select {
		case <-c.again:
			if n, err := c.load(ctx); err == nil {
				c.current.Store(n)
			}
			first()
		case <-ctx.Done():
			return
		}
	}
}

// What is asked for: columns tell of every table but those without one.
const (
	sqlNamespaces = "SHOW NAMESPACES"
	sqlTables     = "SELECT table_schema, table_name FROM information_schema.tables"
	sqlColumns    = "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns" +
		" ORDER BY table_schema, table_name, ordinal_position"
)

// load reads the names. information_schema shows each user what is theirs to see;
// system.tables is for administrators only.
func (c *NameCache) load(ctx context.Context) (*Names, error) {
	ctx, cancel := context.WithTimeout(ctx, namesTimeout)
	defer cancel()
	tables, err := c.rows(ctx, sqlTables, 2)
	if err != nil {
		return nil, err
	}
	columns, err := c.rows(ctx, sqlColumns, 4)
	if err != nil {
		return nil, err
	}
	spaces, err := c.rows(ctx, sqlNamespaces, 1)
	if err != nil {
		return nil, err
	}
	return NewNames(spaces, tables, columns), nil
}

// NewNames returns names from rows: of namespaces their name; of tables their
// namespace and name; of columns the namespace, the table, their name and data type.
func NewNames(namespaces, tables, columns [][]string) *Names {
	n := &Names{tables: map[string][]string{}, columns: map[string][]column{}}
	for _, r := range tables {
		n.tables[r[0]] = append(n.tables[r[0]], r[1])
	}
	for _, r := range columns {
		k := columnsKey(r[0], r[1])
		n.columns[k] = append(n.columns[k], column{r[2], strings.ToLower(r[3])})
	}
	for _, r := range namespaces {
		n.namespaces = append(n.namespaces, r[0])
	}
	for ns, t := range n.tables {
		slices.Sort(t)
		n.namespaces = append(n.namespaces, ns)
	}
	slices.Sort(n.namespaces)
	n.namespaces = slices.Compact(n.namespaces)
	return n
}

// rows runs a query and returns the first columns of its rows as texts.
func (c *NameCache) rows(ctx context.Context, sql string, columns int) (rows [][]string, err error) {
	res, err := c.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	for _, r := range res.Results {
		if len(r.Columns()) < columns {
			continue
		}
		for i := range r.Rows() {
			row := make([]string, columns)
			for j := range row {
				row[j], _ = r.Text(i, j)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// ChangesNames reports whether a statement may change what the cache holds.
func ChangesNames(sql string) bool {
	for _, w := range []string{"CREATE", "DROP", "ALTER"} {
		rest, ok := cutFold(strings.TrimSpace(sql), w)
		if ok && rest != "" && !sqltext.IsWordByte(rest[0]) {
			return true
		}
	}
	return false
}

// cutFold cuts a prefix off, whatever the case.
func cutFold(s, prefix string) (rest string, ok bool) {
	if !hasPrefixFold(s, prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// hasPrefixFold reports whether s begins with prefix, whatever the case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
