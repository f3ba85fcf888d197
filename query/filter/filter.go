package filter

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/subscribe"
)

// Condition returns the condition of a live query as an expression tree, from
// DuckDB's own parser. Columns are unqualified. What the tree cannot express
// gives an error that wraps subscribe.ErrNotCompilable.
func Condition(ctx context.Context, p *guard.Parser, where string) (subscribe.Expr, error) {
	x, err := p.Expr(ctx, where)
	if err != nil {
		return nil, err
	}
	return exprOf(x, nil)
}

// notCompilable says which construct needs an evaluator.
func notCompilable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{subscribe.ErrNotCompilable}, args...)...)
}

// exprOf turns a tree of DuckDB's into one of subscribe's. qualified reports
// whether the parts before a column's name mean the table of the query; nil
// means that there must be none.
func exprOf(n tree.Node, qualified func(parts []string) bool) (subscribe.Expr, error) {
	f := filterBuilder{qualified}
	return f.expr(n)
}

type filterBuilder struct {
	qualified func(parts []string) bool
}

func (f filterBuilder) expr(n tree.Node) (subscribe.Expr, error) {
	switch class := tree.Str(n, "class"); class {
	case "COLUMN_REF":
		return f.column(n)
	case "CONSTANT":
		v, err := guard.ConstantOf(n)
		if err != nil {
			return nil, notCompilable("%w", err)
		}
		return subscribe.Const{Value: v}, nil
	case "CAST":
		return castOf(n)
	case "CONJUNCTION":
		args, err := f.list(tree.Elems(n, "children"))
		if tree.Str(n, "type") == "CONJUNCTION_OR" {
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
		n, _ := v.(tree.Node)
		var err error
		if out[i], err = f.expr(n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f filterBuilder) column(n tree.Node) (subscribe.Expr, error) {
	cols := tree.Names(n, "column_names")
	last := len(cols) - 1
	if last > 0 && (f.qualified == nil || !f.qualified(cols[:last])) {
		return nil, notCompilable("the column %s", strings.Join(cols, "."))
	}
	name := strings.ToLower(cols[last])
	if last == 0 && guard.IsValueKeyword(name) {
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

func (f filterBuilder) comparison(n tree.Node) (subscribe.Expr, error) {
	op, ok := compareOps[tree.Str(n, "type")]
	if !ok {
		return nil, notCompilable("%s", tree.Str(n, "type"))
	}
	left := tree.Child(n, "left")
	if op == subscribe.IsDistinct || op == subscribe.IsNotDistinct {
		// x IS TRUE comes with a cast of x to BOOLEAN, which a BOOLEAN does not need.
		if value := tree.Child(tree.Child(n, "right"), "value"); tree.Str(tree.Child(value, "type"), "id") == "BOOLEAN" &&
			isCastTo(left, "BOOLEAN") {
			left = tree.Child(left, "child")
		}
	}
	args, err := f.list([]any{left, n["right"]})
	if err != nil {
		return nil, err
	}
	return subscribe.Compare{Op: op, Left: args[0], Right: args[1]}, nil
}

func isCastTo(n tree.Node, typ string) bool {
	return tree.Str(n, "class") == "CAST" && tree.Str(tree.Child(n, "cast_type"), "id") == typ &&
		tree.Str(tree.Child(n, "child"), "class") != "CONSTANT"
}

func (f filterBuilder) operator(n tree.Node) (subscribe.Expr, error) {
	args, err := f.list(tree.Elems(n, "children"))
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, notCompilable("%s", tree.Str(n, "type"))
	}
	switch t := tree.Str(n, "type"); t {
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

func (f filterBuilder) caseOf(n tree.Node) (subscribe.Expr, error) {
	var c subscribe.Case
	for _, v := range tree.Elems(n, "case_checks") {
		check, _ := v.(tree.Node)
		args, err := f.list([]any{check["when_expr"], check["then_expr"]})
		if err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, subscribe.When{Cond: args[0], Then: args[1]})
	}
	if otherwise := tree.Child(n, "else_expr"); otherwise != nil {
		var err error
		if c.Else, err = f.expr(otherwise); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (f filterBuilder) function(n tree.Node) (subscribe.Expr, error) {
	name := strings.ToLower(tree.Str(n, "function_name"))
	if !guard.OwnSchema(n) || !tree.IsEmpty(n["filter"]) || !tree.IsEmpty(tree.Child(n, "order_bys")["orders"]) ||
		!tree.IsEmpty(n["distinct"]) {
		return nil, notCompilable("the function %s", name)
	}
	args := tree.Elems(n, "children")
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
		last, _ := args[2].(tree.Node)
		var ok bool
		if like.Escape, ok = tree.Text(last); !ok || like.Escape == "" {
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

// castOf reads TRUE, FALSE and typed literals such as DATE '2025-01-31', which
// are casts of a literal.
func castOf(n tree.Node) (subscribe.Expr, error) {
	v, ok, err := guard.CastConstant(n)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, notCompilable("a CAST")
	}
	return subscribe.Const{Value: v}, nil
}
