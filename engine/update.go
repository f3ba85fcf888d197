package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
)

// maxAttempts bounds how often a statement is evaluated again because a
// concurrent commit changed a row it read.
const maxAttempts = 100

// update runs UPDATE. Rows are read, changed and committed under the version
// that was read; when another commit was faster the statement starts again.
func (s *session) update(ctx context.Context, st *dialect.Update) error {
	t, err := s.writable(st.Table, "update")
	if err != nil {
		return err
	}
	if t.Kind == kalam.KindStreamTable {
		return kalam.Errorf(kalam.CodeInvalidOperation, "UPDATE is not supported for STREAM tables (table '%s')", t.ID)
	}
	if st.Where == "" {
		return kalam.Errorf(kalam.CodeInvalidSQL, "UPDATE requires a WHERE clause")
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	sets, err := s.assignments(t, st.Set)
	if err != nil {
		return err
	}
	return s.retry(ctx, &answer{table: t, verb: "Updated", alias: st.Alias, returning: st.Returning, edits: st.Edits}, func() ([]buffer.Mutation, error) {
		if key, ok := s.keyOf(t, st.KeyEquals); ok && sets.simple {
			return s.updateByKey(ctx, t, key, sets)
		}
		return s.updateByQuery(ctx, t, st, sets)
	})
}

// delete runs DELETE in the same way.
func (s *session) delete(ctx context.Context, st *dialect.Delete) error {
	t, err := s.writable(st.Table, "delete")
	if err != nil {
		return err
	}
	if st.Where == "" {
		return kalam.Errorf(kalam.CodeInvalidSQL, "DELETE requires a WHERE clause")
	}
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	return s.retry(ctx, &answer{table: t, verb: "Deleted", alias: st.Alias, returning: st.Returning, edits: st.Edits}, func() ([]buffer.Mutation, error) {
		if key, ok := s.keyOf(t, st.KeyEquals); ok {
			return s.deleteByKey(ctx, t, key)
		}
		return s.deleteByQuery(ctx, t, st)
	})
}

// retry evaluates and applies a statement until no concurrent commit interferes.
func (s *session) retry(ctx context.Context, done *answer, evaluate func() ([]buffer.Mutation, error)) error {
	for attempt := 1; ; attempt++ {
		muts, err := evaluate()
		if err != nil {
			return err
		}
		if err := s.rehearse(ctx, done, muts); err != nil {
			return err
		}
		seqs, err := s.apply(ctx, muts)
		if kalam.CodeOf(err) == kalam.CodeConflict && s.txn == nil && attempt < maxAttempts && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return err
		}
		return s.finishDML(ctx, done, muts, seqs)
	}
}

// assignments are the checked SET list of an UPDATE.
type assignments struct {
	columns []int
	exprs   []*dialect.Expr
	simple  bool // Every expression is a literal, a parameter or a known function.
}

func (s *session) assignments(t *kalam.Table, set []dialect.Assign) (*assignments, error) {
	a := &assignments{simple: true}
	seen := map[int]bool{}
	for i := range set {
		c := set[i].Column
		j := t.ColumnIndex(c.Name)
		switch {
		case j < 0:
			return nil, unknownColumn(c)
		case t.IsKey(j):
			return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Primary key column '%s' cannot be updated", c.Name).At(c.Pos)
		case seen[j]:
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' is assigned twice", c.Name).At(c.Pos)
		case t.Columns[j].Default != nil && t.Columns[j].Default.Always && set[i].Value.Kind != dialect.ExprDefault:
			return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' is GENERATED ALWAYS: it can only be set to DEFAULT", c.Name).At(c.Pos)
		}
		seen[j] = true
		a.columns = append(a.columns, j)
		a.exprs = append(a.exprs, &set[i].Value)
		if !isSimple(&set[i].Value) {
			a.simple = false
		}
	}
	return a, nil
}

// isSimple reports whether evaluate can handle the expression.
func isSimple(x *dialect.Expr) bool {
	switch x.Kind {
	case dialect.ExprNull, dialect.ExprString, dialect.ExprNumber, dialect.ExprBool, dialect.ExprBytes, dialect.ExprParam, dialect.ExprDefault:
		return true
	case dialect.ExprFunc:
		_, ok := defaultFuncs[strings.ToUpper(x.Text)]
		return ok
	}
	return false
}

// keyOf returns the encoded key when the WHERE clause is exactly an equality
// of every primary key column with a literal or parameter that means a value of
// the column's type. DuckDB evaluates every other condition.
func (s *session) keyOf(t *kalam.Table, terms []dialect.ColumnEquals) ([]byte, bool) {
	if t.HasHiddenKey() || len(terms) != len(t.PrimaryKey) {
		return nil, false
	}
	row := make([]kalam.Value, len(t.Columns))
	for i := range terms {
		j := t.ColumnIndex(terms[i].Column.Name)
		if j < 0 || !t.IsKey(j) || !row[j].IsNull() {
			return nil, false
		}
		v, ok := s.keyValue(&terms[i].Value, &t.Columns[j])
		if !ok {
			return nil, false
		}
		row[j] = v
	}
	return datatype.EncodeKey(nil, t, row), true
}

// keyValue returns what a literal or parameter means in a comparison with the key
// column, if that is a value of the column's type: the same as in a condition that
// DuckDB evaluates.
func (s *session) keyValue(x *dialect.Expr, c *kalam.Column) (kalam.Value, bool) {
	v, ok := s.operandOf(x)
	if !ok || v.IsNull() || c.Type.Kind == kalam.KindJSON {
		return kalam.Value{}, false
	}
	read, typed, err := datatype.Operand(c.Type, v)
	if err != nil {
		return kalam.Value{}, false
	}
	if typed || read.Kind() == c.Type.Kind && c.Type.Kind != kalam.KindDecimal {
		return read, true
	}
	return exactKey(c.Type, read)
}

// exactKey returns the number v as a key of type t if they are equal: DuckDB
// compares numbers by value, and here none is rounded.
func exactKey(t kalam.DataType, v kalam.Value) (kalam.Value, bool) {
	if !isExact(t.Kind) || !isExact(v.Kind()) {
		return kalam.Value{}, false
	}
	key, err := datatype.Cast(t, v)
	if err != nil || t.Kind != kalam.KindDecimal && v.Kind() != kalam.KindDecimal {
		return key, err == nil
	}
	most := kalam.TypeOf(kalam.KindDecimal)
	if _, _, scale := v.Decimal(); v.Kind() == kalam.KindDecimal {
		most.Scale = max(scale, t.Scale)
	} else {
		most.Scale = t.Scale
	}
	a, errA := datatype.Cast(most, v)
	b, errB := datatype.Cast(most, key)
	return key, errA == nil && errB == nil && a == b
}

// isExact reports whether the values of a kind are exact numbers.
func isExact(k kalam.Kind) bool {
	switch k {
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindDecimal:
		return true
	}
	return false
}

// operandOf returns the value of a literal or parameter; ok is false for other
// expressions and for numbers that only DuckDB's own types hold.
func (s *session) operandOf(x *dialect.Expr) (v kalam.Value, ok bool) {
	var err error
	switch x.Kind {
	case dialect.ExprString:
		return kalam.Text(x.Text), true
	case dialect.ExprNumber:
		v, err = datatype.FromNumber(kalam.TypeOf(kalam.KindBigInt), x.Text)
		if err != nil {
			_, fraction, _ := strings.Cut(x.Text, ".")
			if strings.ContainsAny(x.Text, "eE_") || len(fraction) > kalam.MaxDecimalPrecision {
				return v, false
			}
			most := kalam.TypeOf(kalam.KindDecimal)
			most.Scale = uint8(len(fraction))
			v, err = datatype.FromNumber(most, x.Text)
		}
		return v, err == nil
	case dialect.ExprBool:
		return kalam.Bool(x.Bool), true
	case dialect.ExprBytes:
		return kalam.Bytes(x.Text), true
	case dialect.ExprParam:
		if x.Param >= 1 && x.Param <= len(s.params) {
			return s.params[x.Param-1], true
		}
	}
	return v, false
}

// current reads the newest live version of a key, the transaction's own first.
func (s *session) current(ctx context.Context, t *kalam.Table, key []byte) (kalam.Row, bool, error) {
	if s.txn == nil {
		return s.e.store.Get(ctx, t, s.scope(t), key)
	}
	view, err := s.viewOf(t, s.txn.snapshot)
	if err != nil {
		return kalam.Row{}, false, err
	}
	return view.Get(ctx, key)
}

func (s *session) updateByKey(ctx context.Context, t *kalam.Table, key []byte, sets *assignments) ([]buffer.Mutation, error) {
	old, ok, err := s.current(ctx, t, key)
	if err != nil || !ok {
		return nil, err
	}
	row, err := datatype.DecodeRow(t, old.Payload, nil)
	if err != nil {
		return nil, err
	}
	next := append([]kalam.Value(nil), row...)
	for i, j := range sets.columns {
		if next[j], _, err = s.evaluate(sets.exprs[i], &t.Columns[j]); err != nil {
			return nil, err
		}
	}
	w := &writer{session: s, table: t}
	return w.replacement(nil, row, next, old, 1)
}

// replacement appends the update from one row to another, unless they are equal.
func (w *writer) replacement(muts []buffer.Mutation, row, next []kalam.Value, old kalam.Row, number int) ([]buffer.Mutation, error) {
	same := true
	for i := range row {
		same = same && row[i] == next[i]
	}
	if same {
		return muts, nil
	}
	if err := checkNotNull(w.table, next, number); err != nil {
		return nil, err
	}
	payload, key, err := w.encode(next)
	if err != nil {
		return nil, err
	}
	return append(muts, buffer.Mutation{
		Table: w.table, Scope: w.session.scope(w.table), Kind: kalam.ChangeUpdate,
		Key: key, Payload: payload, Expect: old.Seq, Old: old,
	}), nil
}

func (s *session) deleteByKey(ctx context.Context, t *kalam.Table, key []byte) ([]buffer.Mutation, error) {
	old, ok, err := s.current(ctx, t, key)
	if err != nil || !ok {
		return nil, err
	}
	return []buffer.Mutation{s.deletion(t, key, old)}, nil
}

func (s *session) deletion(t *kalam.Table, key []byte, old kalam.Row) buffer.Mutation {
	return buffer.Mutation{
		Table: t, Scope: s.scope(t), Kind: kalam.ChangeDelete,
		Key: key, Payload: old.Payload, Expect: old.Seq, Old: old,
	}
}

// rawSQL is a piece of a statement's text that DuckDB reads, with where it stood.
type rawSQL struct {
	text  string
	pos   int
	edits dialect.Edits
}

// affected is the query for the rows an UPDATE or DELETE touches: _seq, all
// columns, and then the new values of an UPDATE.
func (s *session) affected(ctx context.Context, t *kalam.Table, alias string, sets *assignments, where rawSQL) (string, *paramSet, error) {
	if err := s.e.query.CheckExpr(ctx, where.text); err != nil {
		return "", nil, placed(err, where.edits, where.pos)
	}
	params := newParamSet(s.params)
	q, as := dialect.QuoteIdent(string(t.ID.Name)), ""
	if alias != "" {
		q = dialect.QuoteIdent(alias)
		as = " AS " + q
	}
	var sql strings.Builder
	fmt.Fprintf(&sql, "SELECT %s.%s", q, kalam.ColumnSeq)
	for i := range t.Columns {
		fmt.Fprintf(&sql, ", %s.%s", q, dialect.QuoteIdent(t.Columns[i].Name))
	}
	if sets != nil {
		for _, x := range sets.exprs {
			if isSimple(x) {
				continue
			}
			if err := s.e.query.CheckExpr(ctx, x.Text); err != nil {
				return "", nil, placed(err, where.edits, x.Pos)
			}
			fmt.Fprintf(&sql, ", (%s)", params.rewrite(x.Text))
		}
	}
	fmt.Fprintf(&sql, " FROM %s.%s%s WHERE (%s)", dialect.QuoteIdent(string(t.ID.Namespace)), dialect.QuoteIdent(string(t.ID.Name)), as, params.rewrite(where.text))
	return sql.String(), params, nil
}

// affectedRow is a row that an UPDATE or DELETE touches.
type affectedRow struct {
	old       kalam.Row
	values    []kalam.Value // Of the table's columns.
	evaluated []kalam.Value // Of the expressions of SET.
}

// eachAffected runs the query of affected and hands every row to f, with the view
// that it was read from.
func (s *session) eachAffected(
	ctx context.Context, t *kalam.Table, sql string, params []kalam.Value, f func(*buffer.View, affectedRow) error,
) error {
	res, err := s.open(ctx, sql, params, openOptions{composed: true})
	if err != nil {
		return err
	}
	defer res.Close()
	view, err := s.viewOf(t, res.snapshot)
	if err != nil {
		return err
	}
	for {
		batch, err := res.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = affectedRows(t, batch, func(r affectedRow) error { return f(view, r) })
		batch.Release()
		if err != nil {
			return err
		}
	}
}

func affectedRows(t *kalam.Table, batch arrow.RecordBatch, f func(affectedRow) error) error {
	n := len(t.Columns)
	for r := 0; r < int(batch.NumRows()); r++ {
		vals := make([]kalam.Value, batch.NumCols()-1)
		for i := range vals {
			vals[i] = datatype.ValueAt(batch.Column(i+1), r)
		}
		for i := range t.Columns {
			v, err := castTo(&t.Columns[i], vals[i])
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

func (s *session) updateByQuery(ctx context.Context, t *kalam.Table, st *dialect.Update, sets *assignments) ([]buffer.Mutation, error) {
	sql, params, err := s.affected(ctx, t, st.Alias, sets, rawSQL{st.Where, st.WherePos, st.Edits})
	if err != nil {
		return nil, err
	}
	w := &writer{session: s, table: t}
	var muts []buffer.Mutation
	err = s.eachAffected(ctx, t, sql, params.values(), func(_ *buffer.View, r affectedRow) error {
		next, evaluated := append([]kalam.Value(nil), r.values...), r.evaluated
		for i, j := range sets.columns {
			v, simple, err := s.evaluate(sets.exprs[i], &t.Columns[j])
			if err == nil && !simple {
				v, err = castTo(&t.Columns[j], evaluated[0])
				evaluated = evaluated[1:]
			}
			if err != nil {
				return positioned(err, sets.exprs[i].Pos)
			}
			next[j] = v
		}
		muts, err = w.replacement(muts, r.values, next, r.old, len(muts)+1)
		return err
	})
	return muts, err
}

func (s *session) deleteByQuery(ctx context.Context, t *kalam.Table, st *dialect.Delete) ([]buffer.Mutation, error) {
	sql, params, err := s.affected(ctx, t, st.Alias, nil, rawSQL{st.Where, st.WherePos, st.Edits})
	if err != nil {
		return nil, err
	}
	var muts []buffer.Mutation
	err = s.eachAffected(ctx, t, sql, params.values(), func(v *buffer.View, r affectedRow) error {
		key, err := storedKey(t, v, r)
		muts = append(muts, s.deletion(t, key, r.old))
		return err
	})
	return muts, err
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
