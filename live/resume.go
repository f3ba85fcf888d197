package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/subscribe"
)

// checkWindow refuses to resume from a seq so far back that tombstones of rows
// which the client may still have could be forgotten, or are: a compaction may keep them
// for less time than the table says (case D8). Who has seen nothing of the table, because
// it is younger, misses nothing.
func (qs *Queries) checkWindow(now time.Time, spec *spec, view *buffer.View) error {
	t, from := spec.table, spec.options.From
	if from > 0 && spec.rule != nil { // A row that policies hide since is not read, so that nobody can tell of it.
		return kalam.Errorf(kalam.CodeResumeWindow, "resume window exceeded: reload required (the table has row policies)")
	}
	retention := time.Duration(t.RetentionHours(qs.Retention)) * time.Hour
	if t.Expires() { // Whatever a client has of it goes by itself.
		return nil
	}
	if from == 0 || from < kalam.SeqAt(t.CreatedAt) {
		return nil
	}
	if view != nil && from < view.Forgotten() {
		return kalam.Errorf(kalam.CodeResumeWindow,
			"resume window exceeded: reload required (deletions since then were forgotten)")
	}
	if from >= kalam.SeqAt(now.Add(-retention)) {
		return nil
	}
	return kalam.Errorf(kalam.CodeResumeWindow,
		"resume window exceeded: reload required (deletions are kept for %d hours)",
		t.RetentionHours(qs.Retention))
}

// resumedBatch gives the next rows and then the next gone ones, in the order of their
// seqs: at whatever point the client is cut off, it has everything up to the highest
// seq that it has seen. So what was read at once may take several batches.
func (l *initialLoad) resumedBatch(ctx context.Context, out []read.Column, size int, b *Batch) error {
	if len(l.lookAhead) == 0 {
		if err := l.readResumed(ctx, out, size); err != nil {
			return err
		}
	}
	l.upTo = max(l.upTo, l.spec.options.From)
	for len(l.lookAhead) > 0 && l.lookAhead[0].gone == nil {
		r := l.lookAhead[0]
		b.Rows, b.Seqs = append(b.Rows, r.row), append(b.Seqs, r.seq)
		l.upTo, l.lookAhead = r.seq, l.lookAhead[1:]
	}
	b.LastSeq = l.upTo
	for len(l.lookAhead) > 0 && l.lookAhead[0].gone != nil {
		b.Gone = append(b.Gone, l.lookAhead[0].gone)
		l.upTo, l.lookAhead = l.lookAhead[0].seq, l.lookAhead[1:]
	}
	b.Follows = len(l.lookAhead) > 0
	b.HasMore = b.Follows || l.unread
	return nil
}

// readResumed reads up to size changes after last: the newest version of each key
// that was written since.
func (l *initialLoad) readResumed(ctx context.Context, out []read.Column, size int) error {
	l.unread = false
	t, q := l.spec.table, sqltext.QuoteIdent(l.spec.alias)
	var sql strings.Builder
	fmt.Fprintf(&sql, "SELECT %s._seq", q)
	for i := range t.Columns {
		fmt.Fprintf(&sql, ", %s.%s", q, sqltext.QuoteIdent(t.Columns[i].Name))
	}
	where, shown := l.resumedCondition()
	fmt.Fprintf(&sql, ", %s._deleted, (%s) FROM %s.%s AS %s WHERE (%s) AND %s._seq > $1 ORDER BY %s._seq LIMIT $2", q,
		shown,
		sqltext.QuoteIdent(string(t.ID.Namespace)), sqltext.QuoteIdent(string(t.ID.Name)), q, where, q, q)
	params := []kalam.Value{kalam.BigInt(int64(l.last)), kalam.BigInt(int64(size) + 1)}
	res, err := l.caller.Open(ctx, sql.String(), params, read.Options{Composed: true, Point: l.point})
	if err != nil {
		return err
	}
	defer l.caller.EndStatement()
	defer res.Close()
	entries := 0
	return res.Each(ctx, func(vals []kalam.Value) error {
		if entries == size {
			l.unread = true
			return nil
		}
		entries++
		return l.resumed(out, vals)
	})
}

// resumedCondition returns which of the changed rows are looked at, tombstones
// among them, and which of those are rows of the result. Among KalamDB's events, as
// for live ones, a row that leaves the condition is nothing, and a tombstone counts
// if it meets the condition.
func (l *initialLoad) resumedCondition() (looked, shown string) {
	where := l.spec.where
	if where == "" {
		where = "true"
	}
	living := "NOT " + sqltext.QuoteIdent(l.spec.alias) + "._deleted"
	if l.spec.namesDeleted() {
		living = "true"
	}
	// Naming _deleted in the condition is what makes a query see tombstones.
	all := sqltext.QuoteIdent(l.spec.alias) + "._deleted IS NOT NULL"
	if !l.spec.exact {
		return fmt.Sprintf("(%s) AND %s", where, all), living
	}
	return all, fmt.Sprintf("((%s) IS TRUE) AND %s", where, living)
}

// resumed takes in a changed row: _seq, all columns, _deleted, whether it is shown.
func (l *initialLoad) resumed(out []read.Column, vals []kalam.Value) error {
	t, seq := l.spec.table, kalam.Seq(vals[0].Int())
	stored, deleted, shown := vals[1:1+len(t.Columns)], vals[1+len(t.Columns)].Bool(), vals[2+len(t.Columns)].Bool()
	l.last = seq
	for i := range stored {
		v, err := datatype.CastColumn(&t.Columns[i], stored[i])
		if err != nil {
			return err
		}
		stored[i] = v
	}
	if !shown {
		// A row that was deleted before the client's last seq may be with it still: it may
		// have been cut off between a later version, which hid the deletion, and that.
		view := l.view
		if view != nil && !t.HasHiddenKey() && !view.MayHaveExisted(datatype.EncodeKey(nil, t, stored),
			l.spec.options.From) {
			return nil
		}
		l.lookAhead = append(l.lookAhead, resumedRow{seq: seq, gone: &subscribe.Event{
			Kind: kalam.ChangeDelete, Table: t, New: stored, NewSeq: seq, Deleted: deleted,
		}})
		return nil
	}
	row := make([]kalam.Value, len(out))
	for i, c := range out {
		switch c.Index {
		case read.SeqColumn:
			row[i] = kalam.BigInt(int64(seq))
		case read.DeletedColumn:
			row[i] = kalam.Bool(deleted)
		default:
			row[i] = stored[c.Index]
		}
	}
	l.lookAhead = append(l.lookAhead, resumedRow{seq: seq, row: row})
	return nil
}

// namesDeleted reports whether the condition shows tombstones.
func (spec *spec) namesDeleted() bool {
	if spec.evaluator != nil {
		return spec.evaluator.NamesDeleted()
	}
	return spec.filter != nil && spec.filter.NamesDeleted()
}
