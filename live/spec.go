package live

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query/filter"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/read/arrays"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/subscribe"
)

// specOf analyses the text of a live query and checks that the caller may follow it.
func (qs *Queries) specOf(ctx context.Context, c *read.Caller, r Request) (*spec, error) {
	spec := &spec{options: r.Options, exact: r.Exact}
	text, err := spec.query(r.SQL)
	if err != nil {
		return nil, err
	}
	if spec.options != nil {
		if err := spec.options.check(); err != nil {
			return nil, err
		}
	}
	edits, params, err := arrays.Expand(text.text, r.Params)
	if err != nil {
		return nil, text.edits.Place(err, text.pos)
	}
	place := func(err error) error { return text.edits.Place(edits.Place(err, 0), text.pos) }
	plan, err := c.Query.LiveQuery(ctx, c.Principal.User, edits.Apply(text.text, 0, len(text.text)), params)
	if err != nil {
		return nil, place(err)
	}
	of, err := c.Resolve(ast.Name{Parts: plan.Table, Pos: plan.Position}, access.Follow)
	if err == nil && plan.Namespace != "" && plan.Namespace != string(of.Table.ID.Namespace) {
		err = kalam.Positioned(read.NotReferenced(plan.Namespace, of.Table.ID), plan.Position)
	}
	if err != nil {
		return nil, place(err)
	}
	spec.table, spec.scope, spec.alias, spec.where = of.Table, of.Scope, plan.Alias, plan.Where
	if of.Table.IsComputed() {
		if spec.feed = qs.Feeds[of.Table.ID]; spec.feed == nil {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Live query subscriptions not supported on system tables")
		}
		spec.table = spec.feed.Table()
		spec.scope = kalam.Scope{Table: spec.table.Number}
	}
	if spec.alias == "" {
		spec.alias = string(spec.table.ID.Name)
	}
	if spec.columns, err = columnsOf(spec.table, plan.Columns); err != nil {
		return nil, err
	}
	if !spec.table.IsComputed() && spec.feed == nil {
		if spec.rule, err = c.Rule(ctx, spec.table, rights.Select); err != nil {
			return nil, err
		}
	}
	return spec, qs.setFilter(ctx, c.Principal, spec, plan)
}

// rawSQL is a piece of a statement's text that DuckDB reads, with where it stood.
type rawSQL struct {
	text  string
	pos   int
	edits sqltext.Edits
}

// query returns the SELECT of a SELECT or SUBSCRIBE TO statement; options of the
// latter count when the request has none.
func (spec *spec) query(text string) (rawSQL, error) {
	st, err := dialect.Parse(text)
	if err != nil {
		return rawSQL{}, err
	}
	switch st := st.(type) {
	case *ast.Select:
		return rawSQL{st.SQL, st.Pos, st.Edits}, nil
	case *ast.SubscribeTo:
		if spec.options == nil && st.Options != nil {
			spec.options = OptionsOf(st.Options)
		}
		return rawSQL{st.Query, st.Pos, st.Edits}, nil
	}
	return rawSQL{}, kalam.Errorf(kalam.CodeUnsupported,
		"a live query is a SELECT or SUBSCRIBE TO statement, not %s", st.Verb())
}

// columnsOf maps column names to indexes; nil stays nil.
func columnsOf(t *kalam.Table, names []string) ([]int, error) {
	if names == nil {
		return nil, nil
	}
	out := make([]int, 0, len(names))
	for _, name := range names {
		i := t.ColumnIndex(name)
		switch {
		case i >= 0:
			out = append(out, i)
		case name == kalam.ColumnSeq || name == kalam.ColumnDeleted:
			return nil, kalam.Errorf(kalam.CodeUnsupported,
				"Column '%s' comes with every event; leave it out of the select list", name)
		default:
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' does not exist", name).
				Lacks(kalam.MissingColumn, name)
		}
	}
	return out, nil
}

// restricted joins a condition, nil for none, and what policies leave of the table.
func (spec *spec) restricted(e subscribe.Expr) subscribe.Expr {
	switch {
	case spec.rule == nil:
		return e
	case e == nil:
		return spec.rule.Expr
	}
	return subscribe.And{Args: []subscribe.Expr{spec.rule.Expr, e}}
}

// setFilter compiles the condition, or leaves it to DuckDB where only DuckDB
// knows the answer.
func (qs *Queries) setFilter(ctx context.Context, p kalam.Principal, spec *spec, plan *filter.Plan) error {
	if plan.FilterErr == nil {
		f, err := subscribe.Compile(spec.table, spec.restricted(plan.Filter), p.User, p.Role)
		if err == nil {
			spec.filter = f
			return nil
		}
		if !errors.Is(err, subscribe.ErrNotCompilable) {
			return err
		}
	} else if !errors.Is(plan.FilterErr, subscribe.ErrNotCompilable) {
		return plan.FilterErr
	}
	ev := &evaluator{queries: qs, principal: p, alias: spec.alias, where: spec.where, deleted: plan.NamesDeleted,
		rule: spec.rule}
	spec.evaluator = ev
	// A condition that cannot be evaluated is refused now, not at the first change.
	_, err := ev.Match(ctx, spec.table, nil)
	return kalam.Unpositioned(err)
}
