package session

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/placeholders"
	"github.com/kalamlake/kalam/session/schema"
	"github.com/kalamlake/kalam/sqltext"
)

// affectedRows describes the rows that an UPDATE or DELETE touches.
type affectedRows struct {
	alias string
	set   *assignments // Of an UPDATE.
	from  ast.RawSQL   // The relations of FROM or USING.
	where ast.RawSQL
	also  string // Another condition, the server's own; "" for none.
	edits sqltext.Edits
}

// query composes the query for the rows: _seq, all columns, and then the new values of
// an UPDATE.
func (a *affectedRows) query(ctx context.Context, s *Session, t *kalam.Table) (string, *placeholders.Set, error) {
	if err := s.Query.CheckExpr(ctx, s.Principal.User, a.where.SQL); err != nil {
		return "", nil, a.edits.Place(err, a.where.Pos)
	}
	params := placeholders.New(s.params)
	from, q := schema.StandIn(read.Target, t, a.alias)
	var sql strings.Builder
	columns := t.Columns
	if t.IsComputed() { // The first column says which row it is, as _seq does of a stored one.
		fmt.Fprintf(&sql, "SELECT %s.%s", q, sqltext.QuoteIdent(columns[0].Name))
		columns = nil
	} else {
		fmt.Fprintf(&sql, "SELECT %s.%s", q, kalam.ColumnSeq)
	}
	for i := range columns {
		fmt.Fprintf(&sql, ", %s.%s", q, sqltext.QuoteIdent(columns[i].Name))
	}
	if a.set != nil {
		for _, x := range a.set.exprs {
			if isSimple(x) {
				continue
			}
			if err := s.Query.CheckExpr(ctx, s.Principal.User, x.Text); err != nil {
				return "", nil, a.edits.Place(err, x.Pos)
			}
			fmt.Fprintf(&sql, ", (%s)", params.Rewrite(x.Text))
		}
	}
	if a.from.SQL != "" {
		if err := s.Query.CheckFrom(ctx, s.Principal.User, a.from.SQL); err != nil {
			return "", nil, a.edits.Place(err, a.from.Pos)
		}
		from += ", " + params.Rewrite(a.from.SQL)
	}
	fmt.Fprintf(&sql, " FROM %s WHERE (%s)", from, params.Rewrite(a.where.SQL))
	if a.also != "" {
		sql.WriteString(" AND (" + a.also + ")")
	}
	return params.Compose(s.with, sql.String()), params, nil
}

// affectedRow is a row that an UPDATE or DELETE touches.
type affectedRow struct {
	old       kalam.Row
	values    []kalam.Value // Of the table's columns.
	evaluated []kalam.Value // Of the expressions of SET.
}

// each hands every row to f, with the view that it was read from. A row that more than
// one row of FROM meets comes once, with the least of the values to set, which does not
// depend on how the query runs.
func (a *affectedRows) each(
	ctx context.Context, s *Session, t *kalam.Table, f func(*buffer.View, affectedRow) error,
) error {
	sql, params, err := a.query(ctx, s, t)
	if err != nil {
		return err
	}
	res, err := s.Open(ctx, sql, params.Values(), read.Options{Composed: true, Deletes: a.set == nil})
	if err != nil {
		return err
	}
	defer res.Close()
	view, err := s.View(ctx, t, res.Point())
	if err != nil {
		return err
	}
	one := func(r affectedRow) error { return f(view, r) }
	if a.from.SQL == "" {
		return eachAffected(ctx, t, res, one)
	}
	var rows []affectedRow
	at := map[kalam.Seq]int{}
	err = eachAffected(ctx, t, res, func(r affectedRow) error {
		i, again := at[r.old.Seq]
		if !again {
			at[r.old.Seq] = len(rows)
			rows = append(rows, r)
		} else if bytes.Compare(schema.ValuesText(r.evaluated), schema.ValuesText(rows[i].evaluated)) < 0 {
			rows[i] = r
		}
		return nil
	})
	for i := 0; i < len(rows) && err == nil; i++ {
		err = one(rows[i])
	}
	return err
}

func eachAffected(ctx context.Context, t *kalam.Table, res *read.Rows, f func(affectedRow) error) error {
	return res.EachBatch(ctx, func(batch arrow.RecordBatch) error { return affectedOf(t, batch, f) })
}

func affectedOf(t *kalam.Table, batch arrow.RecordBatch, f func(affectedRow) error) error {
	n := len(t.Columns)
	for r := 0; r < int(batch.NumRows()); r++ {
		vals := make([]kalam.Value, batch.NumCols()-1)
		for i := range vals {
			vals[i] = datatype.ValueAt(batch.Column(i+1), r)
		}
		for i := range t.Columns {
			v, err := datatype.CastColumn(&t.Columns[i], vals[i])
			if err != nil {
				return err
			}
			vals[i] = v
		}
		seq := kalam.Seq(datatype.ValueAt(batch.Column(0), r).Int())
		old := kalam.Row{Seq: seq, Payload: datatype.EncodeRow(nil, t, vals[:n])}
		if err := f(affectedRow{old: old, values: vals[:n:n], evaluated: vals[n:]}); err != nil {
			return err
		}
	}
	return nil
}

// inOrder puts the changes in the order in which the rows were last changed: that of a
// join is the engine's own.
func inOrder(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.Old.Seq, b.Old.Seq) })
	return changes
}

// storedKey returns the key under which a row that was read from v is stored.
func storedKey(t *kalam.Table, v *buffer.View, r affectedRow) ([]byte, error) {
	if !t.HasHiddenKey() {
		return datatype.EncodeKey(nil, t, r.values), nil
	}
	key, ok := v.KeyOf(r.old.Seq)
	if !ok {
		return nil, kalam.Errorf(kalam.CodeInternal, "row %d of table '%s' has no key", r.old.Seq, t.ID)
	}
	return key, nil
}
