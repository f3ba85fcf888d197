package session

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// insert runs INSERT ... VALUES, INSERT ... SELECT and their ON CONFLICT and
// RETURNING forms.
func (s *Session) insert(ctx context.Context, st *ast.Insert) error {
	t, err := s.writable(st.Table, access.Insert)
	if err != nil {
		return err
	}
	target, err := insertColumns(t, st)
	if err != nil {
		return err
	}
	if err := conflictTarget(t, st.Conflict); err != nil {
		return err
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	if err := checkGenerated(t, st, target); err != nil {
		return err
	}
	if err := s.startWith(ctx, st.With, st.Edits); err != nil {
		return err
	}
	w := &writer{session: s, table: t, edits: st.Edits}
	switch {
	case st.Defaults:
		err = w.rowsOfValues(ctx, [][]ast.Expr{{}}, nil)
	case st.Select != "":
		err = w.rowsOfSelect(ctx, st, target)
	default:
		err = w.rowsOfValues(ctx, st.Rows, target)
	}
	if err == nil {
		err = w.count(ctx)
	}
	if err != nil {
		return err
	}
	if st.Conflict != nil && !st.Conflict.DoNothing {
		return s.upsert(ctx, w, st)
	}
	done := &answer{table: t, verb: "Inserted", alias: st.Alias, returning: st.Returning, edits: st.Edits}
	for attempt := 1; ; attempt++ {
		changes, seqs, err := w.write(ctx, done, st.Conflict != nil)
		if err == nil {
			return s.finishDML(ctx, done, changes, seqs)
		}
		// Somebody has given a value of the counter to a row by hand meanwhile.
		again := kalam.CodeOf(err) == kalam.CodeConflict && s.txn == nil && attempt < maxAttempts && ctx.Err() == nil &&
			w.countsKeys()
		if !again {
			return err
		}
		if err := w.count(ctx); err != nil {
			return err
		}
	}
}

// write inserts the rows. With skip a row whose key is taken is left out.
func (w *writer) write(ctx context.Context, done *answer, skip bool) ([]change, []kalam.Seq, error) {
	changes, err := w.insertions()
	if err != nil {
		return nil, nil, err
	}
	for i := range changes {
		changes[i].Free = w.countsKey(i) // Nobody else has the value, unless by hand.
		changes[i].SkipExisting = skip && !changes[i].Free
	}
	if skip {
		changes = dropRepeated(changes)
	} else if err := w.checkRepeated(changes); err != nil {
		return nil, nil, err
	}
	if err := w.session.rehearse(ctx, done, changes); err != nil {
		return nil, nil, err
	}
	seqs, err := w.session.apply(ctx, changes)
	return changes, seqs, w.explain(err, changes)
}

// insertions returns the changes of the rows.
func (w *writer) insertions() ([]change, error) {
	changes := make([]change, len(w.rows))
	for i := range w.rows {
		var err error
		if changes[i].Mutation, err = w.insertion(i); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// insertColumns maps each value position of the statement to a column index.
func insertColumns(t *kalam.Table, st *ast.Insert) ([]int, error) {
	if len(st.Columns) == 0 {
		target := make([]int, len(t.Columns))
		for i := range target {
			target[i] = i
		}
		return target, nil
	}
	target := make([]int, len(st.Columns))
	seen := make(map[int]bool, len(st.Columns))
	for i, c := range st.Columns {
		j := t.ColumnIndex(c.Name)
		if j < 0 {
			return nil, unknownColumn(c)
		}
		if seen[j] {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' is named twice", c.Name).At(c.Pos)
		}
		seen[j], target[i] = true, j
	}
	return target, nil
}

func unknownColumn(c ast.Ident) error {
	switch c.Name {
	case kalam.ColumnSeq, kalam.ColumnDeleted, kalam.ColumnUpdated:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' is assigned by the server", c.Name).At(c.Pos)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' does not exist", c.Name).At(c.Pos)
}

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

// rowsOfValues evaluates the VALUES lists. What is not a literal, a parameter
// or a known function is evaluated by DuckDB, all of it in one query.
func (w *writer) rowsOfValues(ctx context.Context, lists [][]ast.Expr, target []int) error {
	var later []deferred
	w.rows = make([][]kalam.Value, 0, len(lists))
	for n, list := range lists {
		if len(list) != len(target) {
			return kalam.Errorf(kalam.CodeInvalidSQL, "INSERT row %d has %d values for %d columns", n+1, len(list),
				len(target)).At(posOf(list))
		}
		row, err := w.newRow(ctx, target)
		if err != nil {
			return err
		}
		for i := range list {
			c := &w.table.Columns[target[i]]
			if c.IsCounted() && list[i].Kind == ast.ExprDefault {
				w.defaulted(target[i], n)
				continue
			}
			v, simple, err := w.session.evaluate(ctx, &list[i], c)
			if err != nil {
				return err
			}
			if !simple {
				later = append(later, deferred{row: n, column: target[i], expr: &list[i]})
				continue
			}
			row[target[i]] = v
		}
		w.rows = append(w.rows, row)
	}
	return w.session.evaluateLater(ctx, later, w.edits, func(d deferred, v kalam.Value) error {
		cast, err := w.session.castColumn(&w.table.Columns[d.column], v)
		w.rows[d.row][d.column] = cast
		return err
	})
}

func posOf(list []ast.Expr) int {
	if len(list) == 0 {
		return 0
	}
	return list[0].Pos
}

// rowsOfSelect runs the source query and casts its rows.
func (w *writer) rowsOfSelect(ctx context.Context, st *ast.Insert, target []int) error {
	s := w.session
	params := newParamSet(s.params)
	sql := s.compose(params, params.rewrite(st.Select)) // ON CONFLICT may have placeholders of its own.
	res, err := s.Open(ctx, sql, params.values(), read.Options{Inner: true, Composed: s.with != ""})
	if err != nil {
		return st.Edits.Place(err, st.SelectPos)
	}
	defer res.Close()
	if got := res.Schema().NumFields(); got != len(target) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "INSERT has %d target columns but the query gives %d", len(target),
			got).At(st.SelectPos)
	}
	return res.EachBatch(ctx, func(batch arrow.RecordBatch) error { return w.castRows(ctx, batch, target) })
}

// castRows adds the rows of a batch, cast to the columns of target.
func (w *writer) castRows(ctx context.Context, batch arrow.RecordBatch, target []int) error {
	for r := range int(batch.NumRows()) {
		row, err := w.newRow(ctx, target)
		if err != nil {
			return err
		}
		for i, j := range target {
			v := datatype.ValueAt(batch.Column(i), r)
			if row[j], err = w.session.castColumn(&w.table.Columns[j], v); err != nil {
				return err
			}
		}
		w.rows = append(w.rows, row)
	}
	return nil
}

// insertion builds the mutation of row i after checking its constraints.
func (w *writer) insertion(i int) (buffer.Mutation, error) {
	row := w.rows[i]
	if err := checkNotNull(w.table, row, i+1); err != nil {
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
	if limit := w.session.server.Limits.RowBytes; limit > 0 && int64(mid-start) > limit {
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

func checkNotNull(t *kalam.Table, row []kalam.Value, number int) error {
	for i := range t.Columns {
		if t.Columns[i].NotNull && row[i].IsNull() {
			return kalam.Errorf(kalam.CodeConstraint,
				"NOT NULL constraint violation: column '%s' cannot be NULL (row %d)", t.Columns[i].Name, number)
		}
	}
	return nil
}

// checkRepeated refuses a key that the statement inserts twice.
func (w *writer) checkRepeated(muts []change) error {
	if len(muts) < 2 {
		return nil
	}
	seen := make(map[string]struct{}, len(muts))
	for i := range muts {
		if _, twice := seen[string(muts[i].Key)]; twice {
			return kalam.Errorf(kalam.CodeAlreadyExists,
				"Primary key violation: value '%s' appears multiple times in the insert batch for column '%s'",
				datatype.KeyText(w.table, w.rows[i]), keyColumns(w.table))
		}
		seen[string(muts[i].Key)] = struct{}{}
	}
	return nil
}

// dropRepeated keeps the first of the insertions of one key.
func dropRepeated(muts []change) []change {
	seen := make(map[string]struct{}, len(muts))
	kept := muts[:0]
	for _, m := range muts {
		if _, twice := seen[string(m.Key)]; !twice {
			seen[string(m.Key)] = struct{}{}
			kept = append(kept, m)
		}
	}
	return kept
}

// explain words a duplicate key the way clients know it.
func (w *writer) explain(err error, muts []change) error {
	var dup *buffer.DuplicateKeyError
	if !errors.As(err, &dup) || dup.Index >= len(muts) {
		return err
	}
	return duplicateKey(w.table, muts[dup.Index].Payload)
}

func duplicateKey(t *kalam.Table, payload []byte) error {
	text := "?"
	if vals, err := datatype.DecodeRow(t, payload, nil); err == nil {
		text = datatype.KeyText(t, vals)
	}
	return kalam.Errorf(kalam.CodeAlreadyExists, "Primary key violation: value '%s' already exists in column '%s'",
		text, keyColumns(t))
}

// keyColumns names the primary key's columns, "a, b".
func keyColumns(t *kalam.Table) string {
	out := ""
	for i, k := range t.PrimaryKey {
		if i > 0 {
			out += ", "
		}
		out += t.Columns[k].Name
	}
	return out
}
