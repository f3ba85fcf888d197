package query

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
)

// CheckExpr checks that fragment is exactly one expression that user SQL may
// hold, so that it can be put into a larger text in parentheses and mean the
// same there. Positions of errors are those in the fragment.
func (e *Engine) CheckExpr(ctx context.Context, user kalam.UserID, fragment string) error {
	if _, ok := e.exprs.Get(fragment); ok {
		return nil
	}
	if err := e.open(ctx); err != nil {
		return err
	}
	if _, err := e.parserOf(user).parseExpr(ctx, fragment); err != nil {
		return err
	}
	if len(fragment) <= maxCachedSQL {
		e.exprs.Add(fragment, struct{}{})
	}
	return nil
}

// parseExpr returns the checked tree of an expression. It is parsed twice, in
// parentheses and in brackets: what closes the one, or comments it out, does not
// fit into the other.
func (p *parser) parseExpr(ctx context.Context, fragment string) (node, error) {
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
	if !ok || !isList || str(inList, "function_name") != "list_value" || len(elems(inList, "children")) != 1 || !same(elems(inList, "children")[0], x) {
		return nil, notOneExpression(nil)
	}
	if star, _ := x["columns"].(bool); str(x, "class") == "STAR" && !star {
		return nil, notOneExpression(nil)
	}
	c := newChecker(before+fragment+")", p.prefix)
	original, _ := clone(x).(node)
	c.query(q)
	if c.err != nil {
		return nil, moved(c.err, len(before), len(fragment))
	}
	return original, nil
}

// CheckWith checks that with is WITH and its list, and nothing else, so that a query
// after it means what it means. Positions of errors are those in with.
func (e *Engine) CheckWith(ctx context.Context, user kalam.UserID, with string) error {
	q, err := e.parserOf(user).parse(ctx, with+" SELECT 1")
	if err != nil {
		return moved(err, 0, len(with))
	}
	list := elems(child(q, "cte_map"), "map")
	q["cte_map"] = node{"map": []any{}}
	if x, ok := onlyItem(q); !ok || len(list) == 0 || !isOne(x) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: expected WITH name AS (query)")
	}
	return nil
}

// CheckFrom checks that from is what may stand after FROM, and no other clause, so that
// it can be put behind a table and a comma. Positions of errors are those in from.
func (e *Engine) CheckFrom(ctx context.Context, user kalam.UserID, from string) error {
	const before = "SELECT 1 FROM "
	q, err := e.parserOf(user).parse(ctx, before+from)
	if err != nil {
		return moved(err, len(before), len(from))
	}
	items := elems(q, "select_list")
	relation := str(child(q, "from_table"), "type")
	if len(items) == 1 && isSimpleShape(q) && relation != "EMPTY" && relation != "SHOW_REF" {
		if x, _ := items[0].(node); isOne(x) {
			return nil
		}
	}
	return kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: expected tables and joins")
}

// isOne reports whether n is the literal 1.
func isOne(n node) bool {
	i, ok := intOf(n)
	return ok && i == 1 && str(n, "alias") == ""
}

func notOneExpression(cause error) error {
	return kalam.Wrap(kalam.CodeInvalidSQL, cause, "Syntax error: expected one expression")
}

// onlyItem returns the only result column of a SELECT that has nothing else.
func onlyItem(q node) (node, bool) {
	items := elems(q, "select_list")
	if len(items) != 1 || !isSimpleShape(q) || str(child(q, "from_table"), "type") != "EMPTY" {
		return nil, false
	}
	x, ok := items[0].(node)
	return x, ok && str(x, "alias") == ""
}

// isSimpleShape reports whether a SELECT has no clause beside its list and FROM.
func isSimpleShape(q node) bool {
	if str(q, "type") != "SELECT_NODE" || str(q, "aggregate_handling") != "STANDARD_HANDLING" {
		return false
	}
	for _, key := range []string{"where_clause", "group_expressions", "group_sets", "having", "qualify", "sample", "modifiers"} {
		if !isEmpty(q[key]) {
			return false
		}
	}
	return len(elems(child(q, "cte_map"), "map")) == 0
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
