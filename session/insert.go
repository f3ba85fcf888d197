package session

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/session/schema"
)

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
			if list[i].Kind == ast.ExprDefault && c.IsCounted() {
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
	params := placeholders.New(s.params)
	sql := params.Compose(s.with, params.Rewrite(st.Select)) // ON CONFLICT may have placeholders of its own.
	res, err := s.Open(ctx, sql, params.Values(), read.Options{Inner: true, Composed: s.with != ""})
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
				datatype.KeyText(w.table, w.rows[i]), schema.KeyColumns(w.table))
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
	return schema.DuplicateKey(w.table, muts[dup.Index].Payload)
}
