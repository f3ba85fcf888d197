package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/sqltext"
)

// writer turns the rows of one INSERT into mutations.
type writer struct {
	session *Session
	table   *kalam.Table
	rows    [][]kalam.Value // In the order of table.Columns, complete.
	given   []bool          // Columns that the statement names.
	buf     []byte          // Arena of payloads and keys.
	edits   sqltext.Edits   // Of the statement.

	counting []counting // Of the columns that counters fill.
}

// newRow returns a row with the defaults of the columns that are not given.
func (w *writer) newRow(ctx context.Context, target []int) ([]kalam.Value, error) {
	if w.given == nil {
		w.given = make([]bool, len(w.table.Columns))
		for _, j := range target {
			w.given[j] = true
		}
		w.startCounting()
	}
	row := make([]kalam.Value, len(w.table.Columns))
	for i := range row {
		if !w.given[i] && !w.table.Columns[i].IsCounted() {
			v, err := w.session.defaultValue(ctx, &w.table.Columns[i])
			if err != nil {
				return nil, err
			}
			row[i] = v
		}
	}
	return row, nil
}

// insertion builds the mutation of row i after checking its constraints.
func (w *writer) insertion(i int) (buffer.Mutation, error) {
	row := w.rows[i]
	if err := schema.CheckNotNull(w.table, row, i+1); err != nil {
		return buffer.Mutation{}, err
	}
	payload, key, err := w.encode(row)
	if err != nil {
		return buffer.Mutation{}, err
	}
	return buffer.Mutation{
		Table: w.table, Scope: w.session.Scope(w.table), Kind: kalam.ChangeInsert, Key: key, Payload: payload,
	}, nil
}

// encode returns the row's payload and key, cut from one arena so that a large
// statement costs few allocations.
func (w *writer) encode(row []kalam.Value) (payload, key []byte, err error) {
	if need := w.room(row); cap(w.buf)-len(w.buf) < need {
		const most = 64 << 10 // The bytes stay in memory with the rows: no more than the statement needs.
		w.buf = make([]byte, 0, max(min(len(w.rows)*need, most), need))
	}
	start := len(w.buf)
	w.buf = datatype.EncodeRow(w.buf, w.table, row)
	mid := len(w.buf)
	if w.buf, err = w.appendKey(w.buf, row); err != nil {
		return nil, nil, err
	}
	end := len(w.buf)
	if limit := w.session.server.limits.Load().RowBytes; limit > 0 && int64(mid-start) > limit {
		return nil, nil, kalam.Errorf(kalam.CodeTooLarge, "row size %d bytes exceeds limit of %d bytes", mid-start,
			limit)
	}
	return w.buf[start:mid:mid], w.buf[mid:end:end], nil
}

// appendKey appends the key of a new row: that of its columns, or one of its own.
func (w *writer) appendKey(dst []byte, row []kalam.Value) ([]byte, error) {
	if !w.table.HasHiddenKey() {
		return datatype.EncodeKey(dst, w.table, row), nil
	}
	id, err := w.session.Store.NextID()
	return datatype.AppendHiddenKey(dst, id), err
}

// room returns how many bytes the payload and key of a row take at most, but for
// keys with many zero bytes.
func (w *writer) room(row []kalam.Value) int {
	const fixed = 24 // The largest value that is not text, with its tag and id.
	n := fixed
	for i, v := range row {
		n += fixed + len(v.Str())
		if w.table.IsKey(i) {
			n += fixed + len(v.Str())
		}
	}
	return n
}
