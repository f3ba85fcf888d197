package engine

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
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
func (s *session) pointRead(ctx context.Context, st *dialect.Select) (done bool, err error) {
	p, hit := s.e.points.get(st)
	if p == nil {
		return false, nil
	}
	t, ok := s.pointTable(p)
	if !ok {
		return false, nil
	}
	out, ok := pointOutput(t, p)
	if !ok || s.checkParams(st.Params) != nil {
		return false, nil
	}
	key, ok := s.keyOf(t, p.Key)
	if !ok {
		return false, nil
	}
	if err := s.hold(t); err != nil {
		return true, err
	}
	row, found, err := s.current(ctx, t, key)
	if err != nil {
		return true, err
	}
	if t.Expires() && row.Seq < kalam.SeqAt(s.now.Add(-t.Options.TTL)) {
		found = false
	}
	row.Seq = s.shownSeq(s.scope(t), row.Seq)
	return true, s.pointResult(t, out, row, found, hit)
}

// pointTable resolves the table of a point read if the principal may read it;
// every other case is left to the query path and its errors.
func (s *session) pointTable(p *dialect.Point) (*kalam.Table, bool) {
	t, err := s.table(p.Table, access.Read)
	if err != nil || t.IsComputed() {
		return nil, false
	}
	return t, true
}

// pointColumn is one output column of a point read; column is an index into the
// table's columns, or one of the two below.
type pointColumn struct {
	field  Field
	column int
}

const (
	pointSeq     = -1
	pointDeleted = -2
)

// pointOutput maps the select list to columns; ok is false when an item is not
// one of the table's.
func pointOutput(t *kalam.Table, p *dialect.Point) ([]pointColumn, bool) {
	if p.Columns == nil {
		out := make([]pointColumn, 0, len(t.Columns)+2)
		for i := range t.Columns {
			out = append(out, columnOutput(t, i, t.Columns[i].Name))
		}
		return append(out, systemOutput(t, kalam.ColumnSeq, kalam.ColumnSeq), systemOutput(t, kalam.ColumnDeleted, kalam.ColumnDeleted)), true
	}
	out := make([]pointColumn, 0, len(p.Columns))
	for _, c := range p.Columns {
		switch i := t.ColumnIndex(c.Column.Name); {
		case i >= 0:
			out = append(out, columnOutput(t, i, c.As))
		case c.Column.Name == kalam.ColumnSeq || c.Column.Name == kalam.ColumnDeleted:
			out = append(out, systemOutput(t, c.Column.Name, c.As))
		default:
			return nil, false
		}
	}
	return out, true
}

// columnOutput returns column i under a name.
func columnOutput(t *kalam.Table, i int, name string) pointColumn {
	return pointColumn{field: tableField(t, Field{Name: name, Type: t.Columns[i].Type}), column: i}
}

func systemOutput(t *kalam.Table, column, name string) pointColumn {
	out := pointColumn{field: Field{Name: name, Type: kalam.TypeOf(kalam.KindBigInt)}, column: pointSeq}
	if column == kalam.ColumnDeleted {
		out.field.Type, out.column = kalam.TypeOf(kalam.KindBoolean), pointDeleted
	}
	out.field = tableField(t, out.field)
	return out
}

// pointResult sends the row, or no row.
func (s *session) pointResult(t *kalam.Table, out []pointColumn, row kalam.Row, found, hit bool) error {
	var vals []kalam.Value
	if found {
		var err error
		if vals, err = columnValues(t, out, row); err != nil {
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
func (s *session) columnsHeader(out []pointColumn) RowsHeader {
	header := RowsHeader{AsUser: s.principal.User, Statement: s.statement, Fields: make([]Field, len(out))}
	for i := range out {
		header.Fields[i] = out[i].field
	}
	return header
}

// columnValues returns the values of the columns in a stored row.
func columnValues(t *kalam.Table, out []pointColumn, row kalam.Row) ([]kalam.Value, error) {
	stored, err := datatype.DecodeRow(t, row.Payload, nil)
	if err != nil {
		return nil, err
	}
	vals := make([]kalam.Value, len(out))
	for i, c := range out {
		switch c.column {
		case pointSeq:
			vals[i] = seqValue(row.Seq)
		case pointDeleted:
			vals[i] = kalam.Bool(row.Deleted)
		default:
			vals[i] = stored[c.column]
		}
	}
	return vals, nil
}
