package session

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
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
func (c pointCache) get(st *dialect.Select) (p *dialect.Point, hit bool) {
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

// pointRead answers a SELECT of columns by the whole primary key from the key
// index, without DuckDB; done is false when the statement is not one. It gives
// exactly what DuckDB would.
func (s *Session) pointRead(ctx context.Context, st *dialect.Select) (done bool, err error) {
	p, hit := s.server.points.get(st)
	if p == nil {
		return false, nil
	}
	t, ok := s.pointTable(p)
	if !ok {
		return false, nil
	}
	out, ok := read.Columns(t, p)
	if !ok || s.checkParams(st.Params) != nil {
		return false, nil
	}
	key, ok := s.keyOf(t, p.Key)
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
	return true, s.pointResult(t, out, row, found, hit)
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
func (s *Session) pointResult(t *kalam.Table, out []read.Column, row kalam.Row, found, hit bool) error {
	var vals []kalam.Value
	if found {
		var err error
		if vals, err = read.ColumnValues(t, out, row); err != nil {
			return err
		}
	}
	if err := s.out.StartRows(s.columnsHeader(out)); err != nil {
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
	header := RowsHeader{AsUser: s.Principal.User, Statement: s.statement, Fields: make([]read.Field, len(out))}
	for i := range out {
		header.Fields[i] = out[i].Field
	}
	return header
}
