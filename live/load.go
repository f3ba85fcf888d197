package live

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// NextBatch returns the next batch of initial rows; HasMore false marks the
// last. It must not be called after that.
func (q *Query) NextBatch(ctx context.Context) (Batch, error) {
	l := q.load
	if l == nil || l.done {
		return Batch{}, kalam.Errorf(kalam.CodeInvalidOperation, "subscription '%s' has no more initial data", q.ID())
	}
	if err := l.start(ctx); err != nil {
		return Batch{}, err
	}
	size := l.spec.options.BatchSize
	if size == 0 {
		size = DefaultBatchSize
	}
	b := Batch{Number: l.number}
	var err error
	if l.spec.options.From > 0 {
		err = l.resumedBatch(ctx, q.output(), size, &b)
	} else if err = l.page(ctx, q.output(), size, &b); err == nil && (l.number > 0 || len(b.Seqs) > 0) {
		b.LastSeq = l.last
	}
	if changed := l.caller.Newest(l.spec.table); changed != nil {
		err = changed // The names in the text may have meant other columns than those of the query.
	}
	if err != nil {
		return Batch{}, err
	}
	l.number++
	l.done = !b.HasMore
	return b, nil
}

// start finds the seq after which the newest rows begin.
func (l *initialLoad) start(ctx context.Context) error {
	if l.started {
		return nil
	}
	l.started = true
	o := l.spec.options
	if o.From > 0 || o.LastRows == 0 {
		return nil
	}
	q := sqltext.QuoteIdent(l.spec.alias)
	sql := fmt.Sprintf("SELECT min(_seq) FROM (SELECT %s._seq AS _seq%s ORDER BY %s._seq DESC LIMIT $1)", q, l.from(),
		q)
	res, err := l.caller.Open(ctx, sql, []kalam.Value{kalam.BigInt(int64(o.LastRows))}, l.options())
	if err != nil {
		return err
	}
	defer l.caller.EndStatement()
	defer res.Close()
	return res.Each(ctx, func(vals []kalam.Value) error {
		if !vals[0].IsNull() {
			l.last = kalam.Seq(vals[0].Int()) - 1
		}
		return nil
	})
}

// options says where the initial rows are read.
func (l *initialLoad) options() read.Options {
	return read.Options{Composed: true, Point: l.point, Given: l.given}
}

// from returns " FROM t AS alias WHERE (condition)"; a condition follows with AND.
func (l *initialLoad) from() string {
	t := l.spec.table
	where := l.spec.where
	if where == "" {
		where = "true"
	}
	if l.given != nil {
		return fmt.Sprintf(" FROM %s AS %s WHERE (%s)", feedRelation, sqltext.QuoteIdent(l.spec.alias), where)
	}
	return fmt.Sprintf(" FROM %s.%s AS %s WHERE (%s)",
		sqltext.QuoteIdent(string(t.ID.Namespace)), sqltext.QuoteIdent(string(t.ID.Name)),
		sqltext.QuoteIdent(l.spec.alias), where)
}

// page reads up to size rows after last into b.
func (l *initialLoad) page(ctx context.Context, out []read.Column, size int, b *Batch) error {
	q := sqltext.QuoteIdent(l.spec.alias)
	namesDeleted := l.spec.namesDeleted()
	var sql strings.Builder
	fmt.Fprintf(&sql, "SELECT %s._seq", q)
	for _, c := range out {
		if c.Index >= 0 {
			fmt.Fprintf(&sql, ", %s.%s", q, sqltext.QuoteIdent(c.Field.Name))
		}
	}
	if namesDeleted {
		fmt.Fprintf(&sql, ", %s._deleted", q)
	}
	fmt.Fprintf(&sql, "%s AND %s._seq > $1 ORDER BY %s._seq LIMIT $2", l.from(), q, q)
	params := []kalam.Value{kalam.BigInt(int64(l.last)), kalam.BigInt(int64(size) + 1)}
	res, err := l.caller.Open(ctx, sql.String(), params, l.options())
	if err != nil {
		return err
	}
	defer l.caller.EndStatement()
	defer res.Close()
	return res.Each(ctx, func(vals []kalam.Value) error {
		if len(b.Rows) == size {
			b.HasMore = true
			return nil
		}
		row, err := l.row(out, vals, namesDeleted)
		b.Rows = append(b.Rows, row)
		b.Seqs = append(b.Seqs, kalam.Seq(vals[0].Int()))
		l.last = kalam.Seq(vals[0].Int())
		return err
	})
}

// row arranges the values of page's query by the output columns.
func (l *initialLoad) row(out []read.Column, vals []kalam.Value, namesDeleted bool) ([]kalam.Value, error) {
	row := make([]kalam.Value, len(out))
	next := 1
	for i, c := range out {
		switch c.Index {
		case read.SeqColumn:
			row[i] = vals[0]
		case read.DeletedColumn:
			row[i] = kalam.Bool(namesDeleted && vals[len(vals)-1].Bool())
		default:
			v, err := datatype.CastColumn(&l.spec.table.Columns[c.Index], vals[next])
			if err != nil {
				return nil, err
			}
			row[i] = v
			next++
		}
	}
	return row, nil
}
