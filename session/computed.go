package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/accounts"
	"github.com/kalamlake/kalam/session/schema"
)

// outsideTransaction refuses to write rows of a computed table in a transaction, whose commit is one of the buffer.
func (s *Session) outsideTransaction(t *kalam.Table) error {
	if s.txn == nil {
		return nil
	}
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"Rows of system table '%s' cannot be written inside explicit transaction '%s'", t.ID, s.txn.id)
}

// insertComputed ends INSERT INTO system.users: w has the rows.
func (s *Session) insertComputed(ctx context.Context, w *writer, st *ast.Insert, target []int) error {
	rows := make([][]kalam.Value, len(w.rows))
	for i, row := range w.rows {
		for _, j := range target {
			rows[i] = append(rows[i], row[j])
		}
	}
	n, err := s.accounts().Insert(ctx, s.Principal, schema.NamesOf(w.table, st, target), rows)
	if err != nil {
		return err
	}
	return s.message(int64(n), fmt.Sprintf("Inserted %d row(s)", n))
}

// updateComputed runs UPDATE system.users.
func (s *Session) updateComputed(ctx context.Context, t *kalam.Table, st *ast.Update, sets *assignments) error {
	columns := make([]ast.Ident, len(st.Set))
	for i := range st.Set {
		columns[i] = st.Set[i].Column
	}
	if err := schema.UpdateComputed(t, st); err != nil {
		return err
	}
	if err := accounts.CheckUpdate(columns); err != nil {
		return err
	}
	users := s.accounts()
	a := &affectedRows{
		alias: st.Alias, set: sets, where: ast.RawSQL{SQL: st.Where, Pos: st.WherePos}, edits: st.Edits,
		also: accounts.Filter(columns),
	}
	return s.writeComputed(ctx, t, users, a, st.KeyEquals, func(state uint64, rows *computedRows) error {
		n, moves, err := users.Update(ctx, s.Principal, state, columns, rows.ids, rows.set)
		if err != nil {
			return err
		}
		return s.moving(n, fmt.Sprintf("Updated %d row(s)", n), moves)
	})
}

// computedTable is a table that the server computes and whose rows can be deleted.
type computedTable interface {
	Delete(ctx context.Context, p kalam.Principal, state uint64, ids []string) (int, error)
	NotFound(id string) error // For a condition on the id alone.
}

// deleteComputed runs DELETE FROM system.users and system.storages.
func (s *Session) deleteComputed(ctx context.Context, t *kalam.Table, st *ast.Delete) error {
	if err := schema.DeleteComputed(t, st); err != nil {
		return err
	}
	var of computedTable = s.locations()
	if t.ID.Name == accounts.Table {
		of = s.accounts()
	}
	a := &affectedRows{alias: st.Alias, where: ast.RawSQL{SQL: st.Where, Pos: st.WherePos}, edits: st.Edits}
	return s.writeComputed(ctx, t, of, a, st.KeyEquals, func(state uint64, rows *computedRows) error {
		n, err := of.Delete(ctx, s.Principal, state, rows.ids)
		if err != nil {
			return err
		}
		return s.message(int64(n), fmt.Sprintf("Deleted %d row(s)", n))
	})
}

// computedRows are rows of a computed table: the first column of each, and the values that UPDATE sets.
type computedRows struct {
	ids []string
	set [][]kalam.Value
}

// writeComputed finds the rows that a condition is true of and hands them to write, again when another statement
// has changed a user meanwhile. terms are the condition if it is one of equalities.
func (s *Session) writeComputed(
	ctx context.Context, t *kalam.Table, of computedTable, a *affectedRows, terms []ast.ColumnEquals,
	write func(state uint64, rows *computedRows) error,
) error {
	for attempt := 1; ; attempt++ {
		state := s.Catalog.UsersState()
		rows, err := a.computed(ctx, s, t)
		if err != nil {
			return err
		}
		if len(rows.ids) == 0 && len(terms) == 1 && terms[0].Column.Name == t.Columns[0].Name {
			if id, ok := s.operandOf(&terms[0].Value); ok && id.Kind() == kalam.KindText {
				return kalam.Positioned(of.NotFound(id.Str()), a.where.Pos)
			}
		}
		s.settled = true // What it met is no reason to begin it again from here on.
		err = write(state, rows)
		if !errors.Is(err, catalog.ErrUsersChanged) || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
	}
}

// computed reads the rows of a computed table.
func (a *affectedRows) computed(ctx context.Context, s *Session, t *kalam.Table) (*computedRows, error) {
	sql, params, err := a.query(ctx, s, t)
	if err != nil {
		return nil, err
	}
	res, err := s.Open(ctx, sql, params.Values(), read.Options{Composed: true})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	rows := &computedRows{}
	return rows, res.Each(ctx, func(vals []kalam.Value) error {
		rows.ids = append(rows.ids, vals[0].Str())
		if a.set == nil {
			return nil
		}
		next := make([]kalam.Value, len(t.Columns))
		if err := s.assign(ctx, t, a.set, vals[1:], next); err != nil {
			return err
		}
		set := make([]kalam.Value, len(a.set.columns))
		for i, j := range a.set.columns {
			set[i] = next[j]
		}
		rows.set = append(rows.set, set)
		return nil
	})
}
