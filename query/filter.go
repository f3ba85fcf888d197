package query

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/subscribe"
)

// Filter returns the condition of a live query as an expression tree, from
// DuckDB's own parser. Columns are unqualified. What the tree cannot express
// gives an error that wraps subscribe.ErrNotCompilable.
func (e *Engine) Filter(ctx context.Context, user kalam.UserID, where string) (subscribe.Expr, error) {
	x, err := e.parserOf(user).parseExpr(ctx, where)
	if err != nil {
		return nil, err
	}
	return filterOf(x, nil)
}

// notCompilable says which construct needs an evaluator.
func notCompilable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{subscribe.ErrNotCompilable}, args...)...)
}

// filterOf turns a tree of DuckDB's into one of subscribe's. qualified reports
// whether the parts before a column's name mean the table of the query; nil
// means that there must be none.
func filterOf(n node, qualified func(parts []string) bool) (subscribe.Expr, error) {
	f := filterBuilder{qualified}
	return f.expr(n)
}

type filterBuilder struct {
	qualified func(parts []string) bool
}

func (f filterBuilder) expr(n node) (subscribe.Expr, error) {
	switch class := str(n, "class"); class {
	case "COLUMN_REF":
		return f.column(n)
	case "CONSTANT":
		return constOf(n)
	case "CAST":
		return castOf(n)
	case "CONJUNCTION":
		args, err := f.list(elems(n, "children"))
		if str(n, "type") == "CONJUNCTION_OR" {
			return subscribe.Or{Args: args}, err
		}
		return subscribe.And{Args: args}, err
	case "COMPARISON":
		return f.comparison(n)
	case "OPERATOR":
		return f.operator(n)
	case "BETWEEN":
		args, err := f.list([]any{n["input"], n["lower"], n["upper"]})
		if err != nil {
			return nil, err
		}
		return subscribe.Between{Arg: args[0], Low: args[1], High: args[2]}, nil
	case "CASE":
		return f.caseOf(n)
	case "FUNCTION":
		return f.function(n)
	default:
		return nil, notCompilable("%s", class)
	}
}

func (f filterBuilder) list(l []any) ([]subscribe.Expr, error) {
	out := make([]subscribe.Expr, len(l))
	for i, v := range l {
		n, _ := v.(node)
		var err error
		if out[i], err = f.expr(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f filterBuilder) column(n node) (subscribe.Expr, error) {
	cols := names(n, "column_names")
	last := len(cols) - 1
	if last > 0 && (f.qualified == nil || !f.qualified(cols[:last])) {
		return nil, notCompilable("the column %s", strings.Join(cols, "."))
	}
	name := strings.ToLower(cols[last])
	if last == 0 && valueKeywords.has(name) {
		return serverValue(name)
	}
	return subscribe.Column{Name: name}, nil
}

// serverValue is a function of ours that takes no argument.
func serverValue(name string) (subscribe.Expr, error) {
	switch name {
	case "current_user", "current_user_id", "session_user":
		return subscribe.CurrentUser{}, nil
	case "current_role":
		return subscribe.CurrentRole{}, nil
	}
	return nil, notCompilable("the function %s", name)
}

// compareOps are the operators of comparisons by the names of DuckDB.
var compareOps = map[string]subscribe.CompareOp{
	"COMPARE_EQUAL": subscribe.Equal, "COMPARE_NOTEQUAL": subscribe.NotEqual, "COMPARE_LESSTHAN": subscribe.Less,
	"COMPARE_LESSTHANOREQUALTO": subscribe.LessOrEqual, "COMPARE_GREATERTHAN": subscribe.Greater,
	"COMPARE_GREATERTHANOREQUALTO": subscribe.GreaterOrEqual, "COMPARE_DISTINCT_FROM": subscribe.IsDistinct,
	"COMPARE_NOT_DISTINCT_FROM": subscribe.IsNotDistinct,
}

func (f filterBuilder) comparison(n node) (subscribe.Expr, error) {
	op, ok := compareOps[str(n, "type")]
	if !ok {
		return nil, notCompilable("%s", str(n, "type"))
	}
	left := child(n, "left")
	if op == subscribe.IsDistinct || op == subscribe.IsNotDistinct {
		// x IS TRUE comes with a cast of x to BOOLEAN, which a BOOLEAN does not need.
		if value := child(child(n, "right"), "value"); str(child(value, "type"), "id") == "BOOLEAN" && isCastTo(left, "BOOLEAN") {
			left = child(left, "child")
		}
	}
	args, err := f.list([]any{left, n["right"]})
	if err != nil {
		return nil, err
	}
	return subscribe.Compare{Op: op, Left: args[0], Right: args[1]}, nil
}

func isCastTo(n node, typ string) bool {
	return str(n, "class") == "CAST" && str(child(n, "cast_type"), "id") == typ && str(child(n, "child"), "class") != "CONSTANT"
}

func (f filterBuilder) operator(n node) (subscribe.Expr, error) {
	args, err := f.list(elems(n, "children"))
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, notCompilable("%s", str(n, "type"))
	}
	switch t := str(n, "type"); t {
	case "OPERATOR_NOT":
		return subscribe.Not{Arg: args[0]}, nil
	case "OPERATOR_IS_NULL":
		return subscribe.IsNull{Arg: args[0]}, nil
	case "OPERATOR_IS_NOT_NULL":
		return subscribe.Not{Arg: subscribe.IsNull{Arg: args[0]}}, nil
	case "COMPARE_IN":
		return subscribe.In{Arg: args[0], List: args[1:]}, nil
	case "COMPARE_NOT_IN":
		return subscribe.Not{Arg: subscribe.In{Arg: args[0], List: args[1:]}}, nil
	default:
		return nil, notCompilable("%s", t)
	}
}

func (f filterBuilder) caseOf(n node) (subscribe.Expr, error) {
	var c subscribe.Case
	for _, v := range elems(n, "case_checks") {
		check, _ := v.(node)
		args, err := f.list([]any{check["when_expr"], check["then_expr"]})
		if err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, subscribe.When{Cond: args[0], Then: args[1]})
	}
	if otherwise := child(n, "else_expr"); otherwise != nil {
		var err error
		if c.Else, err = f.expr(otherwise); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (f filterBuilder) function(n node) (subscribe.Expr, error) {
	name := strings.ToLower(str(n, "function_name"))
	if !ownSchema(n) || !isEmpty(n["filter"]) || !isEmpty(child(n, "order_bys")["orders"]) || !isEmpty(n["distinct"]) {
		return nil, notCompilable("the function %s", name)
	}
	args := elems(n, "children")
	if len(args) == 0 {
		return serverValue(name)
	}
	negated := strings.HasPrefix(name, "!") || strings.HasPrefix(name, "not_")
	like := subscribe.Like{Insensitive: strings.HasSuffix(name, "*") || strings.Contains(name, "ilike")}
	want := 2
	switch name {
	case "~~", "!~~", "~~*", "!~~*":
	case "like_escape", "not_like_escape", "ilike_escape", "not_ilike_escape":
		want = 3
	default:
		return nil, notCompilable("the function %s", name)
	}
	if len(args) != want {
		return nil, notCompilable("the function %s", name)
	}
	if want == 3 {
		last, _ := args[2].(node)
		var ok bool
		if like.Escape, ok = textOf(last); !ok || like.Escape == "" {
			return nil, notCompilable("a computed escape character")
		}
	}
	both, err := f.list(args[:2])
	if err != nil {
		return nil, err
	}
	like.Arg, like.Pattern = both[0], both[1]
	if negated {
		return subscribe.Not{Arg: like}, nil
	}
	return like, nil
}

// constOf reads a literal.
func constOf(n node) (subscribe.Expr, error) {
	v := child(n, "value")
	typ := child(v, "type")
	if null, _ := v["is_null"].(bool); null {
		return subscribe.Const{Value: kalam.Null()}, nil
	}
	num, _ := v["value"].(json.Number)
	switch id := str(typ, "id"); id {
	case "VARCHAR":
		s, _ := v["value"].(string)
		return subscribe.Const{Value: kalam.Text(s)}, nil
	case "BOOLEAN":
		b, _ := v["value"].(bool)
		return subscribe.Const{Value: kalam.Bool(b)}, nil
	case "INTEGER", "BIGINT":
		i, err := num.Int64()
		if err != nil {
			return nil, notCompilable("the number %s", num)
		}
		return subscribe.Const{Value: kalam.BigInt(i)}, nil
	case "DOUBLE":
		d, err := num.Float64()
		if err != nil {
			return nil, notCompilable("the number %s", num)
		}
		return subscribe.Const{Value: kalam.Double(d)}, nil
	case "DECIMAL":
		return decimalConst(v, child(typ, "type_info"))
	default:
		return nil, notCompilable("a literal of type %s", id)
	}
}

// decimalConst reads a literal with a point. Up to 18 digits it is one number,
// beyond that two halves.
func decimalConst(v, info node) (subscribe.Expr, error) {
	scaleNum, _ := info["scale"].(json.Number)
	scale := uint64(0)
	if scaleNum != "" {
		var err error
		if scale, err = strconv.ParseUint(scaleNum.String(), 10, 8); err != nil {
			return nil, notCompilable("a DECIMAL with scale %s", scaleNum)
		}
	}
	if num, ok := v["value"].(json.Number); ok {
		i, err := num.Int64()
		if err != nil {
			return nil, notCompilable("the number %s", num)
		}
		return subscribe.Const{Value: kalam.Decimal(i>>63, uint64(i), uint8(scale))}, nil
	}
	halves := child(v, "value")
	upper, _ := halves["upper"].(json.Number)
	lower, _ := halves["lower"].(json.Number)
	hi, errHi := upper.Int64()
	lo, errLo := strconv.ParseUint(lower.String(), 10, 64)
	if errHi != nil || errLo != nil {
		return nil, notCompilable("a DECIMAL that is not a number")
	}
	return subscribe.Const{Value: kalam.Decimal(hi, lo, uint8(scale))}, nil
}

// castOf reads TRUE, FALSE and typed literals such as DATE '2025-01-31', which
// are casts of a literal.
func castOf(n node) (subscribe.Expr, error) {
	x, t := child(n, "child"), castType(n)
	if try, _ := n["try_cast"].(bool); try || !isOperand(x) || str(x, "class") != "CONSTANT" {
		return nil, notCompilable("a CAST")
	}
	o := operandOf(x)
	if t.Kind == kalam.KindBoolean && (o.text == "'t'" || o.text == "'f'") {
		return subscribe.Const{Value: kalam.Bool(o.text == "'t'")}, nil
	}
	switch t.Kind {
	case kalam.KindNull, kalam.KindDecimal: // A constant does not keep the digits of its type.
		return nil, notCompilable("a CAST")
	}
	v, ok, err := readCast(t, o)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, notCompilable("a CAST")
	}
	return subscribe.Const{Value: v}, nil
}
