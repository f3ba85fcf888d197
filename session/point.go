package session

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
)

// maxPointText is the longest statement whose form as a point read is
// remembered; longer ones are read anew each time.
const maxPointText = 4 << 10

// pointCache remembers, by text, which SELECTs are reads of one row by columns
// (nil: not). It holds nothing of a user.
type pointCache struct {
	cache *lru.Cache[string, *dialect.Point]
}

func newPointCache(size int) (pointCache, error) {
	c, err := lru.New[string, *dialect.Point](size)
	return pointCache{c}, err
}

// get returns the point read that st is, nil if it is none.
func (c pointCache) get(st *ast.Select) (p *dialect.Point, hit bool) {
	if len(st.SQL) > maxPointText {
		return dialect.PointOf(st), false
	}
	if p, ok := c.cache.Get(st.SQL); ok {
		return p, true
	}
	p = dialect.PointOf(st)
	c.cache.Add(st.SQL, p)
	return p, false
}

// clear empties the cache and returns how many texts it held.
func (c pointCache) clear() int {
	n := c.cache.Len()
	c.cache.Purge()
	return n
}

// pointRead answers a SELECT of columns by the whole primary key from the key
// index, without DuckDB; done is false when the statement is not one. It gives
// exactly what DuckDB would.
func (s *Session) pointRead(ctx context.Context, st *ast.Select) (done bool, err error) {
	p, hit, ok := s.resolvedPoint(st)
	if !ok || s.checkParams(st.Params) != nil {
		return false, nil //nolint:nilerr // The query path says it.
	}
	t := p.table
	key, ok := s.keyOf(t, p.point.Key)
	if !ok {
		return false, nil
	}
	if err := s.Hold(t); err != nil {
		return true, err
	}
	row, found, err := s.Current(ctx, t, key)
	if err != nil {
		return true, err
	}
	if t.Expires() && row.Seq < kalam.SeqAt(s.Now.Add(-t.Options.TTL)) {
		found = false
	}
	row.Seq = s.ShownSeq(s.Scope(t), row.Seq)
	return true, s.pointResult(p, row, found, hit)
}

// resolvedPoint returns the point read that st is, resolved for the principal: as it was for the same request before,
// if the schemas are still the same. hit says that its text was known. What the principal may not read, or what is no
// point read, is left to the query path and its errors.
func (s *Session) resolvedPoint(st *ast.Select) (p *resolvedPoint, hit, ok bool) {
	epoch := s.Catalog.SchemaEpoch() // Before the table is looked up.
	known := s.known
	if known != nil {
		if p = known.point.Load(); p != nil && p.epoch == epoch && p.ns == s.Namespace {
			return p, true, p.table != nil
		}
	}
	p = &resolvedPoint{epoch: epoch, ns: s.Namespace}
	p.point, hit = s.server.points.get(st)
	if p.point != nil {
		if t, found := s.pointTable(p.point); found {
			if p.out, ok = read.Columns(t, p.point); ok {
				p.table, p.fields = t, fieldsOf(p.out)
			}
		}
	}
	if known != nil {
		known.point.Store(p)
	}
	return p, hit, ok
}

func fieldsOf(out []read.Column) []read.Field {
	fields := make([]read.Field, len(out))
	for i := range out {
		fields[i] = out[i].Field
	}
	return fields
}

// pointTable resolves the table of a point read if the principal may read it;
// every other case is left to the query path and its errors.
func (s *Session) pointTable(p *dialect.Point) (*kalam.Table, bool) {
	t, err := s.Table(p.Table, access.Read)
	if err != nil || t.IsComputed() {
		return nil, false
	}
	return t, true
}

// pointResult sends the row, or no row.
func (s *Session) pointResult(p *resolvedPoint, row kalam.Row, found, hit bool) error {
	var vals []kalam.Value
	if found {
		var err error
		if vals, err = read.ColumnValues(p.table, p.out, row); err != nil {
			return err
		}
	}
	header := RowsHeader{AsUser: s.Principal.User, Statement: s.statement, Fields: p.fields}
	if err := s.out.StartRows(header); err != nil {
		return err
	}
	trailer := RowsTrailer{CacheHit: &hit}
	if found {
		trailer.RowCount = 1
		if err := s.out.Values(vals); err != nil {
			return err
		}
	}
	return s.out.EndRows(trailer)
}

// columnsHeader begins a result of columns.
func (s *Session) columnsHeader(out []read.Column) RowsHeader {
	return RowsHeader{AsUser: s.Principal.User, Statement: s.statement, Fields: fieldsOf(out)}
}
