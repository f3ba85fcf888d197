package subscribe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// ErrNotCompilable is returned by Compile for an expression that only an
// Evaluator can decide: Compile refuses wherever its answer might differ from
// DuckDB's.
var ErrNotCompilable = errors.New("the expression needs an evaluator")

// notCompilable says why.
func notCompilable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrNotCompilable}, args...)...)
}

// Filter decides whether a row of one table belongs to a live query. It is
// immutable and safe for concurrent use.
type Filter struct {
	key     string
	match   predicate // nil: all rows
	deleted bool
}

// row is one version of a row as a filter sees it.
type row struct {
	vals    []kalam.Value
	seq     kalam.Seq
	deleted bool
}

// tri is a truth value of SQL.
type tri uint8

const (
	isFalse tri = iota
	isTrue
	isUnknown
)

// triOf returns the truth value of b.
func triOf(b bool) tri {
	if b {
		return isTrue
	}
	return isFalse
}

// predicate is a compiled boolean expression.
type predicate func(r *row) tri

// Compile returns the filter for e over rows of t, with SQL's three-valued logic
// and DuckDB's rules for types; a nil e matches all rows. user and role are what
// CurrentUser and CurrentRole stand for. The error wraps ErrNotCompilable when e
// is fine but needs an Evaluator, and has CodeInvalidSQL when e names a column
// that t does not have.
func Compile(t *kalam.Table, e Expr, user kalam.UserID, role kalam.Role) (*Filter, error) {
	if e == nil {
		return &Filter{key: "all"}, nil
	}
	c := &compiler{table: t, user: user, role: role}
	p, err := c.predicate(e)
	if err != nil {
		return nil, err
	}
	key := e.appendKey(nil)
	if c.usesUser {
		key = strconv.AppendQuote(append(key, ":user"...), string(user))
	}
	if c.usesRole {
		key = append(append(key, ":role"...), role.String()...)
	}
	return &Filter{key: string(key), match: p, deleted: c.usesDeleted}, nil
}

// Key returns a text that is equal for filters of one table that decide alike.
func (f *Filter) Key() string { return f.key }

// NamesDeleted reports whether the filter names _deleted.
func (f *Filter) NamesDeleted() bool { return f.deleted }

// Match reports whether the filter is true for the row version vals, the values
// of the table's columns in order and of their types.
func (f *Filter) Match(vals []kalam.Value, seq kalam.Seq, deleted bool) bool {
	return f.matchRow(&row{vals: vals, seq: seq, deleted: deleted})
}

func (f *Filter) matchRow(r *row) bool { return f.match == nil || f.match(r) == isTrue }

// compiler holds what compiling one expression needs and finds out.
type compiler struct {
	table       *kalam.Table
	user        kalam.UserID
	role        kalam.Role
	usesUser    bool
	usesRole    bool
	usesDeleted bool
}

// predicate compiles an expression of type BOOLEAN.
func (c *compiler) predicate(e Expr) (predicate, error) {
	switch e := e.(type) {
	case And:
		return c.junction(e.Args, isTrue)
	case Or:
		return c.junction(e.Args, isFalse)
	case Not:
		p, err := c.predicate(e.Arg)
		if err != nil {
			return nil, err
		}
		return func(r *row) tri { return not(p(r)) }, nil
	case Compare:
		return c.compare(e)
	case Like:
		return c.like(e)
	case In:
		return c.in(e)
	case Between:
		return c.between(e)
	case IsNull:
		o, err := c.operand(e.Arg)
		if err != nil {
			return nil, err
		}
		return func(r *row) tri { return triOf(o.eval(r).IsNull()) }, nil
	}
	o, err := c.operand(e)
	if err != nil {
		return nil, err
	}
	if o.t.Kind != kalam.KindBoolean && !o.isNull() {
		return nil, notCompilable("a %s as condition", o.t)
	}
	return func(r *row) tri {
		v := o.eval(r)
		if v.IsNull() {
			return isUnknown
		}
		return triOf(v.Bool())
	}, nil
}

// not returns NOT t.
func not(t tri) tri {
	switch t {
	case isFalse:
		return isTrue
	case isTrue:
		return isFalse
	default:
		return isUnknown
	}
}

// junction compiles AND (neutral isTrue) or OR (neutral isFalse).
func (c *compiler) junction(args []Expr, neutral tri) (predicate, error) {
	ps := make([]predicate, len(args))
	for i, a := range args {
		var err error
		if ps[i], err = c.predicate(a); err != nil {
			return nil, err
		}
	}
	decisive := not(neutral)
	return func(r *row) tri {
		result := neutral
		for _, p := range ps {
			switch p(r) {
			case decisive:
				return decisive
			case isUnknown:
				result = isUnknown
			default:
			}
		}
		return result
	}, nil
}

// between compiles Arg >= Low AND Arg <= High. DuckDB brings all three to one
// type, so both halves must be of one class.
func (c *compiler) between(e Between) (predicate, error) {
	arg, err := c.operand(e.Arg)
	if err != nil {
		return nil, err
	}
	low, err := c.operand(e.Low)
	if err != nil {
		return nil, err
	}
	high, err := c.operand(e.High)
	if err != nil {
		return nil, err
	}
	cmps, err := comparators(arg, low, high)
	if err != nil {
		return nil, err
	}
	return func(r *row) tri {
		v, lo, hi := arg.eval(r), low.eval(r), high.eval(r)
		if v.IsNull() {
			return isUnknown
		}
		below, above := isUnknown, isUnknown
		if !lo.IsNull() {
			below = triOf(cmps[0](v, lo) < 0)
		}
		if !hi.IsNull() {
			above = triOf(cmps[1](v, hi) > 0)
		}
		switch {
		case below == isTrue || above == isTrue:
			return isFalse
		case below == isUnknown || above == isUnknown:
			return isUnknown
		}
		return isTrue
	}, nil
}

// manyConstants is the length of an IN list from which on it becomes a set.
const manyConstants = 8

// in compiles Arg IN (List).
func (c *compiler) in(e In) (predicate, error) {
	arg, err := c.operand(e.Arg)
	if err != nil {
		return nil, err
	}
	list := make([]operand, len(e.List))
	for i, x := range e.List {
		if list[i], err = c.operand(x); err != nil {
			return nil, err
		}
	}
	cmps, err := comparators(arg, list...)
	if err != nil {
		return nil, err
	}
	if p := inSet(arg, list); p != nil {
		return p, nil
	}
	return func(r *row) tri {
		v := arg.eval(r)
		if v.IsNull() && len(list) > 0 {
			return isUnknown
		}
		result := isFalse
		for i := range list {
			x := list[i].eval(r)
			if x.IsNull() {
				result = isUnknown
			} else if cmps[i](v, x) == 0 {
				return isTrue
			}
		}
		return result
	}, nil
}

// inSet compiles a long list of constants that are equal exactly when their bits
// are; nil when it is not one.
func inSet(arg operand, list []operand) predicate {
	if len(list) < manyConstants || !arg.t.Kind.IsInteger() && arg.t.Kind != kalam.KindText &&
		arg.t.Kind != kalam.KindUUID {
		return nil
	}
	set := make(map[kalam.Value]struct{}, len(list))
	otherwise := isFalse
	for _, o := range list {
		v, ok := o.constAs(arg.t)
		switch {
		case !ok:
			return nil
		case v.IsNull():
			otherwise = isUnknown
			continue
		case arg.t.Kind.IsInteger() && v.Kind().IsInteger():
			v = kalam.Integer(arg.t.Kind, v.Int())
		case v.Kind() != arg.t.Kind:
			return nil
		}
		set[v] = struct{}{}
	}
	return func(r *row) tri {
		v := arg.eval(r)
		if v.IsNull() {
			return isUnknown
		}
		if _, ok := set[v]; ok {
			return isTrue
		}
		return otherwise
	}
}

// compare compiles a Compare.
func (c *compiler) compare(e Compare) (predicate, error) {
	left, err := c.operand(e.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(e.Right)
	if err != nil {
		return nil, err
	}
	cmps, err := comparators(left, right)
	if err != nil {
		return nil, err
	}
	cmp := cmps[0]
	if e.Op == IsDistinct || e.Op == IsNotDistinct {
		return func(r *row) tri {
			a, b := left.eval(r), right.eval(r)
			same := a.IsNull() && b.IsNull() || !a.IsNull() && !b.IsNull() && cmp(a, b) == 0
			return triOf(same == (e.Op == IsNotDistinct))
		}, nil
	}
	accept, ok := acceptTable[e.Op]
	if !ok {
		return nil, notCompilable("comparison operator %d", e.Op)
	}
	return func(r *row) tri {
		a, b := left.eval(r), right.eval(r)
		if a.IsNull() || b.IsNull() {
			return isUnknown
		}
		return accept[cmp(a, b)+1]
	}, nil
}

// acceptTable holds for each operator its truth for less, equal and greater.
var acceptTable = map[CompareOp][3]tri{
	Equal:          {isFalse, isTrue, isFalse},
	NotEqual:       {isTrue, isFalse, isTrue},
	Less:           {isTrue, isFalse, isFalse},
	LessOrEqual:    {isTrue, isTrue, isFalse},
	Greater:        {isFalse, isFalse, isTrue},
	GreaterOrEqual: {isFalse, isTrue, isTrue},
}

// operand is a compiled expression of any type.
type operand struct {
	t     kalam.DataType // KindNull for the literal NULL
	eval  func(r *row) kalam.Value
	konst *kalam.Value // its value, when it is a constant
}

// constant returns the operand of a literal.
func constant(v kalam.Value) operand {
	return operand{t: typeOfConst(v), konst: &v, eval: func(*row) kalam.Value { return v }}
}

// isNull reports whether o is the literal NULL.
func (o operand) isNull() bool { return o.t.Kind == kalam.KindNull }

// isLiteral reports whether o is a string literal, which has no type of its own.
func (o operand) isLiteral() bool { return o.konst != nil && o.t.Kind == kalam.KindText }

// constAs returns the value of a constant that is compared with something of type
// t.
func (o operand) constAs(t kalam.DataType) (kalam.Value, bool) {
	switch {
	case o.konst == nil:
		return kalam.Value{}, false
	case o.isLiteral() && t.Kind != kalam.KindText:
		return literalAs(t, o.konst.Str())
	}
	return *o.konst, true
}

// operand compiles an expression of any type.
func (c *compiler) operand(e Expr) (operand, error) {
	switch e := e.(type) {
	case nil:
		return operand{}, notCompilable("a missing expression")
	case Const:
		return constant(e.Value), nil
	case CurrentUser:
		c.usesUser = true
		return typedText(string(c.user)), nil
	case CurrentRole:
		c.usesRole = true
		return typedText(c.role.String()), nil
	case Column:
		return c.column(strings.ToLower(e.Name))
	case Case:
		return c.caseOf(e)
	}
	p, err := c.predicate(e)
	if err != nil {
		return operand{}, err
	}
	return operand{t: kalam.TypeOf(kalam.KindBoolean), eval: func(r *row) kalam.Value {
		switch p(r) {
		case isTrue:
			return kalam.Bool(true)
		case isFalse:
			return kalam.Bool(false)
		default:
			return kalam.Null()
		}
	}}, nil
}

// typedText returns a TEXT that is no literal: it does not take another type.
func typedText(s string) operand {
	v := kalam.Text(s)
	return operand{t: kalam.TypeOf(kalam.KindText), eval: func(*row) kalam.Value { return v }}
}

// column compiles a column name.
func (c *compiler) column(name string) (operand, error) {
	switch name {
	case kalam.ColumnSeq:
		return operand{t: kalam.TypeOf(kalam.KindBigInt),
			eval: func(r *row) kalam.Value { return kalam.BigInt(int64(r.seq)) }}, nil
	case kalam.ColumnDeleted:
		c.usesDeleted = true
		return operand{t: kalam.TypeOf(kalam.KindBoolean),
				eval: func(r *row) kalam.Value { return kalam.Bool(r.deleted) }},
			nil
	case kalam.ColumnUpdated:
		return operand{t: kalam.TypeOf(kalam.KindTimestamp), eval: func(r *row) kalam.Value {
			return kalam.Integer(kalam.KindTimestamp, r.seq.Time().UnixMicro())
		}}, nil
	}
	i := c.table.ColumnIndex(name)
	if i < 0 {
		return operand{}, kalam.Errorf(kalam.CodeInvalidSQL, "column '%s' does not exist in table %s", name, c.table.ID)
	}
	return operand{t: c.table.Columns[i].Type, eval: func(r *row) kalam.Value { return r.vals[i] }}, nil
}

// caseOf compiles a Case whose results are all of one type.
func (c *compiler) caseOf(e Case) (operand, error) {
	conds := make([]predicate, len(e.Whens))
	thens := make([]operand, len(e.Whens), len(e.Whens)+1)
	for i, w := range e.Whens {
		var err error
		if conds[i], err = c.predicate(w.Cond); err != nil {
			return operand{}, err
		}
		if thens[i], err = c.operand(w.Then); err != nil {
			return operand{}, err
		}
	}
	last := constant(kalam.Null())
	if e.Else != nil {
		var err error
		if last, err = c.operand(e.Else); err != nil {
			return operand{}, err
		}
	}
	t, err := commonType(append(thens, last))
	if err != nil {
		return operand{}, err
	}
	return operand{t: t, eval: func(r *row) kalam.Value {
		for i, cond := range conds {
			if cond(r) == isTrue {
				return thens[i].eval(r)
			}
		}
		return last.eval(r)
	}}, nil
}

// commonType returns the type that all os but NULLs have. DECIMAL is left to the
// evaluator, because a literal does not tell its precision.
func commonType(os []operand) (kalam.DataType, error) {
	var t kalam.DataType
	for _, o := range os {
		switch {
		case o.isNull():
		case t.Kind == kalam.KindNull && o.t.Kind != kalam.KindDecimal:
			t = o.t
		case o.t != t:
			return t, notCompilable("CASE with results of type %s and %s", t, o.t)
		}
	}
	return t, nil
}
