package read

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/sqltext"
)

// CountNulls returns how many living rows of all scopes of t, not only the caller's, hold NULL in a column. Rows up to
// the seq since are not counted.
func (c *Caller) CountNulls(ctx context.Context, t *kalam.Table, column int, since kalam.Seq) (int64, error) {
	n := &nullCount{caller: c, table: t, column: column, since: since, want: make([]bool, len(t.Columns))}
	n.want[column] = true
	return n.count(ctx)
}

// nullCount counts the rows of all scopes of a table that hold NULL in a column.
type nullCount struct {
	caller *Caller
	table  *kalam.Table
	column int
	since  kalam.Seq // Older rows, and those of this seq, are not looked at.
	want   []bool    // The column alone, for DecodeColumns.

	point *buffer.ReadPoint
	lent  segments.Files
	files []query.File // Of some scopes, to be counted by one query.
}

// nullFiles is the number of files that one query reads.
const nullFiles = 100

func (c *nullCount) count(ctx context.Context) (n int64, err error) {
	scopes, err := c.scopes(ctx)
	if err != nil {
		return 0, err
	}
	for len(scopes) > 0 {
		c.point = c.caller.Store.Begin()
		for len(scopes) > 0 && len(c.files) < nullFiles && err == nil {
			var found int64
			found, err = c.scope(ctx, scopes[0])
			n, scopes = n+found, scopes[1:]
		}
		if err == nil {
			var found int64
			found, err = c.stored(ctx)
			n += found
		}
		c.files = nil
		c.lent.Release()
		c.point.Release()
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (c *nullCount) scopes(ctx context.Context) (list []kalam.Scope, err error) {
	for sc, err := range c.caller.Store.Scopes(ctx, c.table.Number) {
		if err != nil {
			return nil, err
		}
		list = append(list, sc)
	}
	return list, nil
}

// scope counts the buffered rows of a scope, and takes its files.
func (c *nullCount) scope(ctx context.Context, sc kalam.Scope) (n int64, err error) {
	view, err := c.point.View(ctx, buffer.TableScope{Table: c.table, Scope: sc})
	if err != nil {
		return 0, err
	}
	since := c.since
	if c.table.Expires() {
		since = max(since, kalam.SeqAt(c.caller.Now.Add(-c.table.Options.TTL)))
	}
	var vals []kalam.Value
	for v, err := range view.Versions() {
		if err != nil {
			return 0, err
		}
		if v.Row.Deleted || v.Row.Seq <= since {
			continue
		}
		if vals, err = datatype.DecodeColumns(c.table, v.Row.Payload, c.want, vals); err != nil {
			return 0, err
		}
		if vals[c.column].IsNull() {
			n++
		}
	}
	layouts := c.caller.Segments.Layouts(c.table)
	for _, seg := range view.Segments() {
		if seg.Segment.MaxSeq <= c.since {
			continue
		}
		file, err := FileOf(ctx, c.caller.Segments, layouts, seg, &c.lent)
		if err != nil {
			return 0, err
		}
		c.files = append(c.files, file)
	}
	return n, nil
}

// stored counts the rows of the files that were taken.
func (c *nullCount) stored(ctx context.Context) (int64, error) {
	if len(c.files) == 0 {
		return 0, nil
	}
	const name = "_stored_rows"
	src := query.Source{Schema: datatype.TableSchema(c.table), Files: c.files}
	sql := fmt.Sprintf("SELECT count(*) FROM %s.rows WHERE %s IS NULL AND %s > $1", name,
		sqltext.QuoteIdent(c.table.Columns[c.column].Name), kalam.ColumnSeq)
	res, err := c.caller.Open(ctx, sql, []kalam.Value{kalam.BigInt(int64(c.since))},
		Options{Composed: true, Given: map[string]Given{name: {Source: &src}}})
	if err != nil {
		return 0, err
	}
	defer res.Close()
	var n int64
	err = res.Each(ctx, func(vals []kalam.Value) error {
		n = vals[0].Int()
		return nil
	})
	return n, err
}
