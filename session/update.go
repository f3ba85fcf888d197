package session

import (
	"context"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/schema"
)

// maxAttempts bounds how often a statement is evaluated again because a
// concurrent commit changed a row it read.
const maxAttempts = 100

// assignments are the checked SET list of an UPDATE.
type assignments struct {
	columns []int
	exprs   []*ast.Expr
	simple  bool       // Every expression is a literal, a parameter or a known function.
	key     *ast.Ident // A column of the primary key that is assigned.
}

func (s *Session) assignments(t *kalam.Table, set []ast.Assign) (*assignments, error) {
	a := &assignments{simple: true}
	seen := map[int]bool{}
	for i := range set {
		c := set[i].Column
		j := t.ColumnIndex(c.Name)
		switch {
		case j < 0:
			return nil, schema.UnknownColumn(c)
		case seen[j]:
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' is assigned twice", c.Name).At(c.Pos)
		case t.Columns[j].Default != nil && t.Columns[j].Default.Always && set[i].Value.Kind != ast.ExprDefault:
			return nil, kalam.Errorf(kalam.CodeInvalidOperation,
				"Column '%s' is GENERATED ALWAYS: it can only be set to DEFAULT", c.Name).At(c.Pos)
		}
		if seen[j] = true; t.IsKey(j) {
			a.key = &set[i].Column
		}
		a.columns = append(a.columns, j)
		a.exprs = append(a.exprs, &set[i].Value)
		if !isSimple(&set[i].Value) {
			a.simple = false
		}
	}
	return a, nil
}

// isSimple reports whether evaluate can handle the expression.
func isSimple(x *ast.Expr) bool {
	switch x.Kind {
	case ast.ExprNull, ast.ExprString, ast.ExprNumber, ast.ExprBool, ast.ExprBytes,
		ast.ExprParam, ast.ExprDefault:
		return true
	case ast.ExprFunc:
		_, ok := defaultFuncs[strings.ToUpper(x.Text)]
		return ok
	default:
		return false
	}
}

// keyOf returns the encoded key when the WHERE clause is exactly an equality
// of every primary key column with a literal or parameter that means a value of
// the column's type. DuckDB evaluates every other condition.
func (s *Session) keyOf(t *kalam.Table, terms []ast.ColumnEquals) ([]byte, bool) {
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
func (s *Session) keyValue(x *ast.Expr, c *kalam.Column) (kalam.Value, bool) {
	v, ok := s.operandOf(x)
	if !ok || v.IsNull() || c.Type.Kind == kalam.KindJSON {
		return kalam.Value{}, false
	}
	if moment, ok := datatype.InZone(s.Settings.Zone, c.Type, v); ok {
		return moment, true
	}
	read, typed, err := datatype.Operand(c.Type, v)
	if err != nil {
		return kalam.Value{}, false
	}
	if typed || read.Kind() == c.Type.Kind && c.Type.Kind != kalam.KindDecimal {
		return read, true
	}
	return schema.ExactKey(c.Type, read)
}

// operandOf returns the value of a literal or parameter; ok is false for other
// expressions and for numbers that only DuckDB's own types hold.
func (s *Session) operandOf(x *ast.Expr) (v kalam.Value, ok bool) {
	var err error
	switch x.Kind {
	case ast.ExprString:
		return kalam.Text(x.Text), true
	case ast.ExprNumber:
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
	case ast.ExprBool:
		return kalam.Bool(x.Bool), true
	case ast.ExprBytes:
		return kalam.Bytes(x.Text), true
	case ast.ExprParam:
		if x.Param >= 1 && x.Param <= len(s.params) {
			return s.params[x.Param-1], true
		}
	default:
	}
	return v, false
}

func (s *Session) updateByKey(ctx context.Context, t *kalam.Table, key []byte, sets *assignments) ([]change, error) {
	old, ok, err := s.Current(ctx, t, key)
	if err != nil || !ok {
		return nil, err
	}
	row, err := datatype.DecodeRow(t, old.Payload, nil)
	if err != nil {
		return nil, err
	}
	next := append([]kalam.Value(nil), row...)
	for i, j := range sets.columns {
		if next[j], _, err = s.evaluate(ctx, sets.exprs[i], &t.Columns[j]); err != nil {
			return nil, err
		}
	}
	w := &writer{session: s, table: t}
	return w.replacement(nil, row, next, old, 1)
}

// replacement appends the update from one row to another, which is nothing to write
// if they are equal.
func (w *writer) replacement(changes []change, row, next []kalam.Value, old kalam.Row, number int) ([]change, error) {
	m := buffer.Mutation{Table: w.table, Scope: w.session.Scope(w.table), Kind: kalam.ChangeUpdate,
		Payload: old.Payload, Expect: old.Seq, Old: old}
	same := true
	for i := range row {
		same = same && row[i] == next[i]
	}
	if same {
		return append(changes, change{Mutation: m, kept: true}), nil
	}
	err := schema.CheckNotNull(w.table, next, number)
	if err == nil {
		m.Payload, m.Key, err = w.encode(next)
	}
	return append(changes, change{Mutation: m}), err
}

func (s *Session) deleteByKey(ctx context.Context, t *kalam.Table, key []byte) ([]change, error) {
	old, ok, err := s.Current(ctx, t, key)
	if err != nil || !ok {
		return nil, err
	}
	return []change{{Mutation: s.deletion(t, key, old)}}, nil
}

func (s *Session) deletion(t *kalam.Table, key []byte, old kalam.Row) buffer.Mutation {
	return buffer.Mutation{
		Table: t, Scope: s.Scope(t), Kind: kalam.ChangeDelete,
		Key: key, Payload: old.Payload, Expect: old.Seq, Old: old,
	}
}
