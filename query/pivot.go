package query

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
)

// maxPivotValues is how many columns an element of PIVOT's ON may find.
const maxPivotValues = 1000

// pivotedOf returns what root, the finished tree of a query with PIVOTs needs, nil
// when none is to be found. doc is the tree, encoded.
func pivotedOf(q *guard.Query, root tree.Node, doc string) (*pivoted, error) {
	p := &pivoted{tree: doc, ctes: q.Withs}
	var err error
	if q.Pivots {
		err = p.collect(root, nil, q.Prefix)
	}
	if err != nil || len(p.lists) == 0 {
		return nil, err
	}
	return p, nil
}

// collect notes the lists to be found below v. with are the WITH elements in sight.
func (p *pivoted) collect(v any, with []any, prefix string) error {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := p.collect(x, with, prefix); err != nil {
				return err
			}
		}
	case tree.Node:
		with = slices.Clip(with)
		for _, e := range tree.Elems(tree.Child(v, "cte_map"), "map") {
			if err := p.collect(e, with, prefix); err != nil {
				return err
			}
			with = append(with, e)
		}
		recursive := tree.Str(v, "type") == "RECURSIVE_CTE_NODE"
		for key, x := range v {
			if key == "cte_map" {
				continue
			}
			before := p.found
			if err := p.collect(x, with, prefix); err != nil {
				return err
			}
			if recursive && key == "right" && p.found > before {
				return kalam.Errorf(kalam.CodeUnsupported,
					"PIVOT in the recursive part of WITH RECURSIVE needs its values after IN")
			}
		}
		for _, x := range tree.Elems(v, "pivots") {
			pivot, _ := x.(tree.Node)
			if n := guard.PivotNumber(pivot, prefix); n >= 0 {
				if err := p.add(n, pivot, v["source"], with); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// add notes list n: SELECT DISTINCT x FROM source, as text and in its order, is what
// DuckDB takes. One more value than is allowed tells that there are too many.
func (p *pivoted) add(n int, pivot tree.Node, source any, with []any) error {
	x, _ := tree.Elems(pivot, "pivot_expressions")[0].(tree.Node)
	q := tree.Select(tree.Cast("VARCHAR", tree.Clone(x)))
	q["from_table"] = tree.Clone(source)
	q["cte_map"] = tree.Node{"map": tree.Clone(with)}
	q["where_clause"] = tree.Node{
		"class":    "OPERATOR",
		"type":     "OPERATOR_IS_NOT_NULL",
		"alias":    "",
		"children": []any{tree.Clone(x)},
	}
	q["modifiers"] = []any{
		tree.Node{"type": "DISTINCT_MODIFIER", "distinct_on_targets": []any{}},
		tree.Node{"type": "ORDER_MODIFIER", "orders": []any{
			tree.Node{"type": "ASCENDING", "null_order": "ORDER_DEFAULT", "expression": tree.IntConst(1)},
		}},
		tree.Node{"type": "LIMIT_MODIFIER", "limit": tree.IntConst(maxPivotValues + 1), "offset": nil},
	}
	doc, err := tree.Encode(q)
	if err != nil {
		return err
	}
	for len(p.lists) <= n {
		p.lists = append(p.lists, pivotValues{})
	}
	p.found++
	p.lists[n] = pivotValues{tree: doc, ctes: countNames(q), pos: tree.Offset(x)}
	return nil
}

// countNames counts the WITH names of a tree.
func countNames(v any) int {
	n := 0
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			n += countNames(x)
		}
	case tree.Node:
		n = len(tree.Elems(tree.Child(v, "cte_map"), "map"))
		for _, x := range v {
			n += countNames(x)
		}
	}
	return n
}

// withValues returns the plan to run instead of one that has PIVOTs whose columns are
// to be found: with the values that they have in sources.
func (e *Planner) withValues(ctx context.Context, plan *Plan, sources []Source, args Args) (*Plan, error) {
	if plan.pivoted == nil {
		return plan, nil
	}
	var values [][]string
	for _, l := range plan.pivoted.lists {
		p, err := e.filled(ctx, args.User, plan, l.tree, l.ctes, values)
		if err != nil {
			return nil, err
		}
		p.at = nil // The caller moves the places of its errors.
		found, err := e.valuesOf(ctx, p, sources, args)
		if err != nil {
			return nil, err
		}
		if len(found) > maxPivotValues {
			return nil, at(kalam.Errorf(kalam.CodeTooLarge,
				"PIVOT finds more than %d values for columns: name the values after IN, or pivot fewer rows",
				maxPivotValues), l.pos)
		}
		values = append(values, found)
	}
	return e.filled(ctx, args.User, plan, plan.pivoted.tree, plan.pivoted.ctes, values)
}

// filled returns a plan for one run: that of an encoded tree with values in the place of
// marks.
func (e *Planner) filled(
	ctx context.Context, user kalam.UserID, plan *Plan, doc string, withs int, values [][]string,
) (*Plan, error) {
	root, err := tree.Decode(doc)
	if err != nil {
		return nil, err
	}
	st, _ := tree.Elems(root, "statements")[0].(tree.Node)
	fillPivots(st, e.prefix, values)
	if doc, err = tree.Encode(tree.Child(st, "node")); err != nil {
		return nil, err
	}
	a := &analysed{Query: plan.Query, set: plan.set, tables: plan.tables, composed: map[string]*composedSQL{}}
	if a.whole, err = templateOf(ctx, e.parserOf(user), doc, withs); err != nil {
		return nil, err
	}
	return &Plan{analysed: a, refs: plan.refs, hit: plan.hit, at: plan.at, once: true}, nil
}

// valuesOf runs a query of one column of text.
func (e *Planner) valuesOf(ctx context.Context, p *Plan, sources []Source, args Args) ([]string, error) {
	r, err := e.start(ctx, p, sources, args)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []string
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		col, ok := rec.Column(0).(*array.String)
		for i := range int(rec.NumRows()) {
			if ok {
				out = append(out, strings.Clone(col.Value(i)))
			}
		}
		rec.Release()
		if !ok {
			return nil, kalam.Errorf(kalam.CodeInternal, "values for PIVOT are %s", rec.Schema().Field(0).Type)
		}
	}
}

// fillPivots puts values in the place of the marks below v.
func fillPivots(v any, prefix string, values [][]string) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			fillPivots(x, prefix, values)
		}
	case tree.Node:
		for _, x := range v {
			fillPivots(x, prefix, values)
		}
		from := tree.Child(v, "from_table")
		for _, x := range tree.Elems(from, "pivots") {
			pivot, _ := x.(tree.Node)
			n := guard.PivotNumber(pivot, prefix)
			switch {
			case n < 0:
			case len(values[n]) == 0:
				withoutColumns(v, from)
				return
			default:
				pivot["entries"] = entriesOf(values[n])
			}
		}
	}
}

func entriesOf(values []string) []any {
	out := make([]any, len(values))
	for i, s := range values {
		out[i] = tree.Node{"alias": "", "star_expr": nil, "values": []any{tree.TextConst(s)["value"]}}
	}
	return out
}

// withoutColumns makes the SELECT of a PIVOT that finds no value one of its groups:
// those that it names, or all columns that it does not use.
func withoutColumns(sel, pivot tree.Node) {
	sel["from_table"], sel["aggregate_handling"] = pivot["source"], "FORCE_AGGREGATES"
	if groups := tree.Names(pivot, "groups"); len(groups) > 0 {
		list := make([]any, len(groups))
		for i, g := range groups {
			list[i] = tree.Column(g)
		}
		sel["select_list"] = list
		return
	}
	var used []any
	for _, name := range columnsIn([]any{pivot["aggregates"], pivot["pivots"]}, nil) {
		used = append(used, name)
	}
	for _, v := range tree.Elems(sel, "select_list") {
		if star, _ := v.(tree.Node); used != nil {
			star["exclude_list"] = used
		}
	}
}

// columnsIn appends the columns that v names, each once.
func columnsIn(v any, to []string) []string {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			to = columnsIn(x, to)
		}
	case tree.Node:
		cols := tree.Names(v, "column_names")
		if n := len(cols); n > 0 {
			same := func(s string) bool { return strings.EqualFold(s, cols[n-1]) }
			if !slices.ContainsFunc(to, same) {
				to = append(to, cols[n-1])
			}
		}
		for _, x := range v {
			to = columnsIn(x, to)
		}
	}
	return to
}
