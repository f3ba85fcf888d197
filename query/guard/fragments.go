package guard

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// Expr returns the checked tree of an expression. It is parsed twice, in
// parentheses and in brackets: what closes the one, or comments it out, does not
// fit into the other.
func (p *Parser) Expr(ctx context.Context, fragment string) (tree.Node, error) {
	const before = "SELECT ("
	if err := checkPlaceholders(fragment); err != nil {
		return nil, err
	}
	q, err := p.parse(ctx, before+fragment+")")
	if err != nil {
		return nil, moved(err, len(before), len(fragment))
	}
	again, err := p.parse(ctx, "SELECT ["+fragment+"]")
	if isCircumstance(err) {
		return nil, err
	}
	if err != nil {
		return nil, notOneExpression(err)
	}
	x, ok := onlyItem(q)
	inList, isList := onlyItem(again)
	if !ok || !isList || tree.Str(inList, "function_name") != "list_value" || len(tree.Elems(inList, "children")) != 1 ||
		!same(tree.Elems(inList, "children")[0], x) {
		return nil, notOneExpression(nil)
	}
	if star, _ := x["columns"].(bool); tree.Str(x, "class") == "STAR" && !star {
		return nil, notOneExpression(nil)
	}
	c := newChecker(before+fragment+")", p.Prefix)
	original, _ := tree.Clone(x).(tree.Node)
	c.query(q)
	if c.err != nil {
		return nil, moved(c.err, len(before), len(fragment))
	}
	return original, nil
}

// With checks that with is WITH and its list, and nothing else, so that a query
// after it means what it means. Positions of errors are those in with.
func (p *Parser) With(ctx context.Context, with string) error {
	q, err := p.parse(ctx, with+" SELECT 1")
	if err != nil {
		return moved(err, 0, len(with))
	}
	list := tree.Elems(tree.Child(q, "cte_map"), "map")
	q["cte_map"] = tree.Node{"map": []any{}}
	if x, ok := onlyItem(q); !ok || len(list) == 0 || !isOne(x) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: expected WITH name AS (query)")
	}
	return nil
}

// From checks that from is what may stand after FROM, and no other clause, so that
// it can be put behind a table and a comma. Positions of errors are those in from.
func (p *Parser) From(ctx context.Context, from string) error {
	const before = "SELECT 1 FROM "
	q, err := p.parse(ctx, before+from)
	if err != nil {
		return moved(err, len(before), len(from))
	}
	items := tree.Elems(q, "select_list")
	relation := tree.Str(tree.Child(q, "from_table"), "type")
	if len(items) == 1 && isSimpleShape(q) && relation != "EMPTY" && relation != "SHOW_REF" {
		if x, _ := items[0].(tree.Node); isOne(x) {
			return nil
		}
	}
	return kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: expected tables and joins")
}

// isOne reports whether n is the literal 1.
func isOne(n tree.Node) bool {
	i, ok := tree.Int(n)
	return ok && i == 1 && tree.Str(n, "alias") == ""
}

func notOneExpression(cause error) error {
	return kalam.Wrap(kalam.CodeInvalidSQL, cause, "Syntax error: expected one expression")
}

// onlyItem returns the only result column of a SELECT that has nothing else.
func onlyItem(q tree.Node) (tree.Node, bool) {
	items := tree.Elems(q, "select_list")
	if len(items) != 1 || !isSimpleShape(q) || tree.Str(tree.Child(q, "from_table"), "type") != "EMPTY" {
		return nil, false
	}
	x, ok := items[0].(tree.Node)
	return x, ok && tree.Str(x, "alias") == ""
}

// isSimpleShape reports whether a SELECT has no clause beside its list and FROM.
func isSimpleShape(q tree.Node) bool {
	if tree.Str(q, "type") != "SELECT_NODE" || tree.Str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return false
	}
	for _, key := range []string{
		"where_clause", "group_expressions", "group_sets", "having", "qualify", "sample", "modifiers",
	} {
		if !tree.IsEmpty(q[key]) {
			return false
		}
	}
	return len(tree.Elems(tree.Child(q, "cte_map"), "map")) == 0
}

// moved returns err with its position counted from n bytes later, inside a text
// of the given length.
func moved(err error, n, length int) error {
	var ke *kalam.Error
	if !errors.As(err, &ke) || ke.Position == 0 {
		return err
	}
	at := *ke
	return at.At(min(max(at.Position-1-n, 0), length))
}
