package session

import (
	"context"
	"errors"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/accounts"
	"github.com/kalamlake/kalam/session/schema"
)

// update runs UPDATE. Rows are read, changed and committed under the version
// that was read; when another commit was faster the statement starts again.
func (s *Session) update(ctx context.Context, st *ast.Update) error {
	t, err := s.writable(st.Table, access.Update)
	if err != nil {
		return err
	}
	if !t.Updatable() {
		return schema.NotUpdatable(t)
	}
	if st.Where == "" {
		return kalam.Errorf(kalam.CodeInvalidSQL, "UPDATE requires a WHERE clause")
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	if err := s.startWith(ctx, st.With, st.Edits); err != nil {
		return err
	}
	sets, err := s.assignments(t, st.Set)
	if err != nil {
		return err
	}
	if sets.key != nil {
		return schema.KeyAssigned(*sets.key)
	}
	if t.IsComputed() {
		return s.updateComputed(ctx, t, st, sets)
	}
	return s.retry(ctx, &answer{table: t, verb: "Updated", alias: st.Alias, returning: st.Returning, edits: st.Edits},
		func() ([]change, error) {
			if key, ok := s.keyOf(t, st.KeyEquals); ok && sets.simple && !s.IsRestricted(t) {
				return s.updateByKey(ctx, t, key, sets)
			}
			return s.updateByQuery(ctx, t, sets, &affectedRows{
				alias: st.Alias, set: sets, from: st.From, where: ast.RawSQL{SQL: st.Where, Pos: st.WherePos},
				edits: st.Edits,
			})
		})
}

// delete runs DELETE in the same way.
func (s *Session) delete(ctx context.Context, st *ast.Delete) error {
	t, err := s.writable(st.Table, access.Delete)
	if err != nil {
		return err
	}
	if st.Where == "" {
		return kalam.Errorf(kalam.CodeInvalidSQL, "DELETE requires a WHERE clause")
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	if err := s.startWith(ctx, st.With, st.Edits); err != nil {
		return err
	}
	if t.IsComputed() {
		return s.deleteComputed(ctx, t, st)
	}
	return s.retry(ctx, &answer{table: t, verb: "Deleted", alias: st.Alias, returning: st.Returning, edits: st.Edits},
		func() ([]change, error) {
			if key, ok := s.keyOf(t, st.KeyEquals); ok && !s.IsRestricted(t) {
				return s.deleteByKey(ctx, t, key)
			}
			return s.deleteByQuery(ctx, t, &affectedRows{alias: st.Alias, from: st.Using,
				where: ast.RawSQL{SQL: st.Where, Pos: st.WherePos}, edits: st.Edits})
		})
}

// truncate runs TRUNCATE: DELETE of every row that the principal's scopes of the tables
// have, in one commit.
func (s *Session) truncate(ctx context.Context, st *ast.Truncate) error {
	var tables []*kalam.Table
	for _, name := range st.Tables {
		t, err := s.writable(name, access.Truncate)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(tables, func(o *kalam.Table) bool { return o.ID == t.ID }) {
			tables = append(tables, t)
		}
	}
	if err := s.checkParams(0); err != nil {
		return err
	}
	return s.retry(ctx, &answer{verb: "Truncated"}, func() ([]change, error) {
		var all []change
		for _, t := range tables {
			changes, err := s.deleteByQuery(ctx, t, &affectedRows{where: ast.RawSQL{SQL: "true"}})
			if err != nil {
				return nil, err
			}
			all = append(all, changes...)
		}
		return all, nil
	})
}

// retry evaluates and applies a statement until no concurrent commit interferes.
func (s *Session) retry(ctx context.Context, done *answer, evaluate func() ([]change, error)) error {
	for attempt := 1; ; attempt++ {
		changes, err := evaluate()
		if err != nil {
			return err
		}
		if err := s.rehearse(ctx, done, changes); err != nil {
			return err
		}
		seqs, err := s.apply(ctx, changes)
		again := kalam.CodeOf(err) == kalam.CodeConflict && !errors.Is(err, kalam.ErrTableChanged)
		if again && s.txn == nil && attempt < maxAttempts && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		return s.finishDML(ctx, done, changes, seqs)
	}
}

// insert runs INSERT ... VALUES, INSERT ... SELECT and their ON CONFLICT and
// RETURNING forms.
func (s *Session) insert(ctx context.Context, st *ast.Insert) error {
	t, err := s.writable(st.Table, access.Insert)
	if err != nil {
		return err
	}
	target, err := schema.InsertColumns(t, st)
	if err != nil {
		return err
	}
	if t.IsComputed() {
		err = schema.InsertComputed(t, st)
		if err == nil {
			err = accounts.CheckInsert(schema.NamesOf(t, st, target))
		}
	} else {
		err = schema.CheckConflictTarget(t, st.Conflict)
	}
	if err != nil {
		return err
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	if err := schema.CheckGenerated(t, st, target); err != nil {
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
	if err == nil && t.IsComputed() {
		return s.insertComputed(ctx, w, st, target)
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
		again := kalam.CodeOf(err) == kalam.CodeConflict && !errors.Is(err, kalam.ErrTableChanged) && s.txn == nil &&
			attempt < maxAttempts && ctx.Err() == nil &&
			w.countsKeys()
		if !again {
			return err
		}
		if err := w.count(ctx); err != nil {
			return err
		}
	}
}

func (s *Session) updateByQuery(
	ctx context.Context, t *kalam.Table, sets *assignments, a *affectedRows,
) ([]change, error) {
	w := &writer{session: s, table: t}
	var changes []change
	err := a.each(ctx, s, t, func(_ *buffer.View, r affectedRow) error {
		next := append([]kalam.Value(nil), r.values...)
		if err := s.assign(ctx, t, sets, r.evaluated, next); err != nil {
			return err
		}
		var err error
		changes, err = w.replacement(changes, r.values, next, r.old, len(changes)+1)
		return err
	})
	return inOrder(changes), err
}

// assign puts the values that an UPDATE sets into a row. evaluated are those that DuckDB has evaluated.
func (s *Session) assign(ctx context.Context, t *kalam.Table, sets *assignments, evaluated, row []kalam.Value) error {
	for i, j := range sets.columns {
		v, simple, err := s.evaluate(ctx, sets.exprs[i], &t.Columns[j])
		if err == nil && !simple {
			v, err = s.castColumn(&t.Columns[j], evaluated[0])
			evaluated = evaluated[1:]
		}
		if err != nil {
			return kalam.Positioned(err, sets.exprs[i].Pos)
		}
		row[j] = v
	}
	return nil
}

func (s *Session) deleteByQuery(ctx context.Context, t *kalam.Table, a *affectedRows) ([]change, error) {
	var changes []change
	err := a.each(ctx, s, t, func(v *buffer.View, r affectedRow) error {
		key, err := storedKey(t, v, r)
		changes = append(changes, change{Mutation: s.deletion(t, key, r.old)})
		return err
	})
	return inOrder(changes), err
}
