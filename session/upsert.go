package session

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/sqltext"
)

// Relations of the query that evaluates DO UPDATE: the conflicting rows as
// stored, and the rows that were to be inserted.
const (
	storedRelation   = "_stored"
	excludedRelation = "_excluded"
	rowColumn        = "_row"
)

// upsert runs INSERT ... ON CONFLICT DO UPDATE: rows whose key is free are
// inserted, the others update the stored row with expressions over it and over
// EXCLUDED, the row that was to be inserted.
func (s *Session) upsert(ctx context.Context, w *writer, st *ast.Insert) error {
	t := w.table
	if err := s.Access.May(s.Principal, t, access.Update); err != nil {
		return err
	}
	if !t.Updatable() {
		return schema.NotUpdatable(t)
	}
	sets, err := s.assignments(t, st.Conflict.Set)
	if err != nil {
		return err
	}
	inserts, err := w.insertions()
	if err != nil {
		return err
	}
	if err := w.checkRepeated(inserts); err != nil {
		return err
	}
	return s.retry(ctx, &answer{table: t, verb: "Inserted", alias: st.Alias, returning: st.Returning, edits: st.Edits},
		func() ([]change, error) {
			if inserts, err = w.freeKeys(ctx, inserts); err != nil {
				return nil, err
			}
			return s.upsertOnce(ctx, w, st, sets, inserts)
		})
}

// conflict is a row whose key is taken.
type conflict struct {
	row    int // Index into the writer's rows.
	old    kalam.Row
	stored []kalam.Value
}

func (s *Session) upsertOnce(
	ctx context.Context, w *writer, st *ast.Insert, sets *assignments, inserts []change,
) ([]change, error) {
	reach, err := s.Rule(ctx, w.table, rights.Select, rights.Update)
	if err != nil {
		return nil, err
	}
	var taken []conflict
	for i := range inserts {
		old, ok, err := s.Current(ctx, w.table, inserts[i].Key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if err := read.Reached(reach, w.table, old.Payload); err != nil {
			return nil, err
		}
		stored, err := datatype.DecodeRow(w.table, old.Payload, nil)
		if err != nil {
			return nil, err
		}
		taken = append(taken, conflict{row: i, old: old, stored: stored})
	}
	var updated [][]kalam.Value
	if len(taken) > 0 {
		if updated, err = s.resolveConflicts(ctx, w, st, sets, taken); err != nil {
			return nil, err
		}
	}
	changes := make([]change, 0, len(inserts)) // In the order of the rows: RETURNING shows it.
	for i := range inserts {
		if len(taken) == 0 || taken[0].row != i {
			insert := inserts[i]
			insert.Free = true // A row that another statement inserts meanwhile is to be updated.
			changes = append(changes, insert)
			continue
		}
		c, next := taken[0], updated[0]
		taken, updated = taken[1:], updated[1:]
		if next == nil {
			continue
		}
		if sets.key != nil && !sameKey(w.table, c.stored, next) { // SET id = EXCLUDED.id is fine: it is that already.
			return nil, schema.KeyAssigned(*sets.key)
		}
		var err error
		if changes, err = w.replacement(changes, c.stored, next, c.old, i+1); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

func sameKey(t *kalam.Table, a, b []kalam.Value) bool {
	return bytes.Equal(datatype.EncodeKey(nil, t, a), datatype.EncodeKey(nil, t, b))
}

// resolveConflicts returns the new row of each conflict, nil where the WHERE of
// DO UPDATE does not hold.
func (s *Session) resolveConflicts(
	ctx context.Context, w *writer, st *ast.Insert, sets *assignments, taken []conflict,
) ([][]kalam.Value, error) {
	out := make([][]kalam.Value, len(taken))
	if rows, ok := s.resolveSimply(ctx, w, st.Conflict, sets, taken); ok {
		return rows, nil
	}
	sql, params, err := s.conflictQuery(ctx, w.table, st, sets)
	if err != nil {
		return nil, err
	}
	stored, excluded, release, err := conflictSources(w, taken)
	if err != nil {
		return nil, err
	}
	defer release()
	sql = params.Compose(s.with, sql)
	res, err := s.Open(ctx, sql, params.Values(), read.Options{Composed: true, Given: map[string]read.Given{
		storedRelation: {Source: &stored}, excludedRelation: {Source: &excluded},
	}})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	err = res.Each(ctx, func(vals []kalam.Value) error {
		i := int(vals[0].Int())
		next := append([]kalam.Value(nil), taken[i].stored...)
		vals = vals[1:]
		for k, j := range sets.columns {
			v, simple, err := s.evaluate(ctx, sets.exprs[k], &w.table.Columns[j])
			if err == nil && !simple {
				v, err = w.session.castColumn(&w.table.Columns[j], vals[0])
				vals = vals[1:]
			}
			if err != nil {
				return err
			}
			next[j] = v
		}
		out[i] = next
		return nil
	})
	return out, err
}

// resolveSimply covers the usual SET c = EXCLUDED.c, literals and parameters,
// without DuckDB.
func (s *Session) resolveSimply(
	ctx context.Context, w *writer, oc *ast.OnConflict, sets *assignments, taken []conflict,
) ([][]kalam.Value, bool) {
	if oc.Where != "" {
		return nil, false
	}
	from := make([]int, len(sets.exprs))
	for k, x := range sets.exprs {
		from[k] = -1
		if isSimple(x) {
			continue
		}
		table, column, ok := strings.Cut(x.Text, ".")
		if !ok || !strings.EqualFold(strings.TrimSpace(table), "excluded") {
			return nil, false
		}
		if from[k] = w.table.ColumnIndex(strings.ToLower(strings.TrimSpace(column))); from[k] < 0 {
			return nil, false
		}
	}
	out := make([][]kalam.Value, len(taken))
	for i, c := range taken {
		next := append([]kalam.Value(nil), c.stored...)
		for k, j := range sets.columns {
			var err error
			if from[k] < 0 {
				next[j], _, err = s.evaluate(ctx, sets.exprs[k], &w.table.Columns[j])
			} else {
				next[j], err = datatype.Cast(w.table.Columns[j].Type, w.rows[c.row][from[k]])
			}
			if err != nil {
				return nil, false
			}
		}
		out[i] = next
	}
	return out, true
}

// conflictQuery composes the query that evaluates SET and WHERE. EXCLUDED is a
// struct column, so that unqualified names mean the stored row.
func (s *Session) conflictQuery(
	ctx context.Context, t *kalam.Table, st *ast.Insert, sets *assignments,
) (string, *placeholders.Set, error) {
	oc := st.Conflict
	params := placeholders.New(s.params)
	from, q := schema.StandIn(storedRelation, t, st.Alias)
	var sql strings.Builder
	fmt.Fprintf(&sql, "SELECT %s.%s", q, rowColumn)
	for _, x := range sets.exprs {
		if isSimple(x) {
			continue
		}
		if err := s.Query.CheckExpr(ctx, s.Principal.User, x.Text); err != nil {
			return "", nil, st.Edits.Place(err, x.Pos)
		}
		fmt.Fprintf(&sql, ", (%s)", params.Rewrite(x.Text))
	}
	fmt.Fprintf(&sql, " FROM %s JOIN (SELECT %s AS _excluded_row, {", from, rowColumn)
	for i := range t.Columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		name := t.Columns[i].Name
		fmt.Fprintf(&sql, "%s: %s", sqltext.QuoteString(name), sqltext.QuoteIdent(name))
	}
	fmt.Fprintf(&sql, "} AS excluded FROM %s.rows) ON %s.%s = _excluded_row", excludedRelation, q, rowColumn)
	if oc.Where != "" {
		if err := s.Query.CheckExpr(ctx, s.Principal.User, oc.Where); err != nil {
			return "", nil, st.Edits.Place(err, oc.WherePos)
		}
		fmt.Fprintf(&sql, " WHERE (%s)", params.Rewrite(oc.Where))
	}
	return sql.String(), params, nil
}

// conflictSources builds both relations of conflictQuery, joined by row number.
func conflictSources(w *writer, taken []conflict) (stored, excluded query.Source, release func(), err error) {
	fields := make([]arrow.Field, 0, len(w.table.Columns)+1)
	for i := range w.table.Columns {
		fields = append(fields, datatype.ArrowField(&w.table.Columns[i]))
	}
	number := kalam.Column{Name: rowColumn, Type: kalam.TypeOf(kalam.KindBigInt)}
	schema := arrow.NewSchema(append(fields, datatype.ArrowField(&number)), nil)
	var old, next [][]kalam.Value
	for i, c := range taken {
		n := kalam.BigInt(int64(i))
		old = append(old, append(append([]kalam.Value(nil), c.stored...), n))
		next = append(next, append(append([]kalam.Value(nil), w.rows[c.row]...), n))
	}
	stored, first, err := read.RowsSource(schema, old)
	if err != nil {
		return stored, excluded, nil, err
	}
	excluded, second, err := read.RowsSource(schema, next)
	if err != nil {
		first()
		return stored, excluded, nil, err
	}
	return stored, excluded, func() { first(); second() }, nil
}
