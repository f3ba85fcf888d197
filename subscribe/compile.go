package subscribe

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/kalamlake/kalam"
)

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

// like compiles LIKE and ILIKE with a constant pattern.
func (c *compiler) like(e Like) (predicate, error) {
	arg, err := c.operand(e.Arg)
	if err != nil {
		return nil, err
	}
	pattern, err := c.operand(e.Pattern)
	if err != nil {
		return nil, err
	}
	if arg.isNull() || pattern.isNull() {
		return func(*row) tri { return isUnknown }, nil
	}
	if arg.t.Kind != kalam.KindText && arg.t.Kind != kalam.KindJSON || !pattern.isLiteral() {
		return nil, notCompilable("LIKE of %s with a pattern that is not a literal", arg.t)
	}
	text := pattern.konst.Str()
	if e.Insensitive {
		// DuckDB lowers the pattern but not the escape character.
		if len(e.Escape) == 1 && unicode.IsLetter(rune(e.Escape[0])) {
			return nil, notCompilable("ILIKE with the escape character %s", e.Escape)
		}
		text = lower(text)
	}
	match, err := compilePattern(text, e.Escape)
	if err != nil {
		return nil, err
	}
	return func(r *row) tri {
		v := arg.eval(r)
		if v.IsNull() {
			return isUnknown
		}
		if e.Insensitive {
			return triOf(match(lower(v.Str())))
		}
		return triOf(match(v.Str()))
	}, nil
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
		return operand{}, kalam.Errorf(kalam.CodeInvalidSQL, "column '%s' does not exist in table %s", name, c.table.ID).
			Lacks(kalam.MissingColumn, name)
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
