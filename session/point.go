package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/cache"
)

// pointRead answers a SELECT of columns by the whole primary key from the key
// index, without DuckDB; done is false when the statement is not one. It gives
// exactly what DuckDB would.
func (s *Session) pointRead(ctx context.Context, st *ast.Select) (done bool, err error) {
	p, hit, ok := s.resolvedPoint(st)
	if !ok || s.checkParams(st.Params) != nil {
		return false, nil //nolint:nilerr // The query path says it.
	}
	t := p.Table
	key, ok := s.keyOf(t, p.Point.Key)
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
	row.Seq = s.ShownSeq(s.Scope(t), row.Seq)
	return true, s.pointResult(p, row, found, hit)
}

// resolvedPoint returns the point read that st is, resolved for the principal: as it was for the same request before,
// if the schemas are still the same. hit says that its text was known. What the principal may not read, or what is no
// point read, is left to the query path and its errors.
func (s *Session) resolvedPoint(st *ast.Select) (p *cache.Point, hit, ok bool) {
	epoch := s.Catalog.SchemaEpoch() // Before the table is looked up.
	known := s.known
	if known != nil {
		if p = known.Point.Load(); p != nil && p.Epoch == epoch && p.Namespace == s.Namespace {
			return p, true, p.Table != nil
		}
	}
	p = &cache.Point{Epoch: epoch, Namespace: s.Namespace}
	p.Point, hit = s.server.points.Get(st)
	if p.Point != nil {
		if t, found := s.pointTable(p.Point); found {
			if p.Columns, ok = read.Columns(t, p.Point); ok {
				p.Table, p.Fields = t, fieldsOf(p.Columns)
			}
		}
	}
	if known != nil {
		known.Point.Store(p)
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
	if err != nil || t.IsComputed() || s.IsRestricted(t) {
		return nil, false
	}
	return t, true
}

// pointResult sends the row, or no row.
func (s *Session) pointResult(p *cache.Point, row kalam.Row, found, hit bool) error {
	var vals []kalam.Value
	if found {
		var err error
		if vals, err = read.ColumnValues(p.Table, p.Columns, row); err != nil {
			return err
		}
	}
	header := RowsHeader{AsUser: s.Principal.User, Statement: s.statement, Fields: p.Fields}
	if err := s.startRows(header); err != nil {
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
