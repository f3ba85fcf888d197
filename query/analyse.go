package query

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

// Analyse parses, checks and rewrites a query, or finds it in the plan cache. The plan
// is the same for every user; user is on whose account it is computed.
// The error has CodeInvalidSQL, CodeUnsupported, CodeTooLarge or CodeEmptySQL,
// with the position when it is known.
func (e *Planner) Analyse(ctx context.Context, user kalam.UserID, sql string) (*Plan, error) {
	return e.AnalyseWith(ctx, user, sql, Settings{})
}

// AnalyseWith is Analyse under settings.
func (e *Planner) AnalyseWith(ctx context.Context, user kalam.UserID, sql string, set Settings) (*Plan, error) {
	kind := set.key()
	exact := kind + sql
	if p, ok := e.plans.exact.Get(exact); ok {
		e.plans.count.hits.Add(1)
		return p, nil
	}
	key := kind + sqltext.Normalize(sql)
	if a, ok := e.plans.normal.Get(key); ok {
		e.plans.count.hits.Add(1)
		p := planOf(a, sql)
		p.hit = true
		e.plans.exact.Add(exact, p)
		return p, nil
	}
	e.plans.count.misses.Add(1)
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	a, err := analyse(ctx, e.parserOf(user), sql, set)
	if err != nil {
		return nil, err
	}
	first := planOf(a, sql)
	if len(sql) <= maxCachedSQL {
		e.plans.normal.Add(key, a)
		again := *first
		again.hit = true
		e.plans.exact.Add(exact, &again)
	}
	return first, nil
}

// planOf returns the plan for a text that differs from the analysed one in white
// space and comments at most.
func planOf(a *analysed, sql string) *Plan {
	p := &Plan{analysed: a, refs: a.tables}
	if sql != a.Text {
		p.at = newPlaces(a.Text, sql)
		p.refs = append([]TableRef(nil), a.tables...)
		for i := range p.refs {
			p.refs[i].Position = p.at.of(p.refs[i].Position)
		}
	}
	return p
}

// analyse checks and rewrites a query.
func analyse(ctx context.Context, p *guard.Parser, sql string, set Settings) (*analysed, error) {
	root, err := p.Parse(ctx, sql)
	if err != nil {
		return nil, err
	}
	set.orderNulls(root)
	q, err := p.Check(ctx, sql, root, set.Inner, set.Zone)
	if err != nil {
		return nil, err
	}
	a := &analysed{Query: q, set: set, composed: map[string]*composedSQL{}}
	for _, t := range q.Tables {
		a.tables = append(a.tables, TableRef{
			Parts: t.Parts, Position: t.Position, Namespace: t.Namespace, NamesDeleted: t.NamesDeleted,
			NamesDropped: t.NamesDropped,
		})
	}
	doc, err := tree.Encode(root)
	if err != nil {
		return nil, err
	}
	if a.pivoted, err = pivotedOf(q, root, doc); err != nil {
		return nil, err
	}
	if a.whole, err = templateOf(ctx, p, doc, q.Withs); err != nil {
		return nil, err
	}
	a.narrow = narrowingOf(q, root)
	if outer, branch := splitTop(q, root); outer != nil {
		if a.top.outerTree, err = tree.Encode(outer); err != nil {
			return nil, err
		}
		if a.top.branchTree, err = tree.Encode(branch); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// writeTop writes the query that pushes a LIMIT down, if the sources call for one
// and it is not written yet. The error is that of the context.
func (e *Planner) writeTop(ctx context.Context, user kalam.UserID, a *analysed, sources []Source) error {
	if len(sources) != 1 || len(sources[0].Files) == 0 || len(sources[0].Batches) == 0 {
		return nil
	}
	a.mu.Lock()
	top := a.top
	a.mu.Unlock()
	if top.outerTree == "" {
		return nil
	}
	p := e.parserOf(user)
	var err error
	if top.outer, err = templateOf(ctx, p, top.outerTree, 0); err == nil {
		top.branch, err = templateOf(ctx, p, top.branchTree, 0)
	}
	if ctx.Err() != nil {
		return Canceled(ctx)
	}
	if err != nil { // The whole query serves as well.
		e.log.Warn("query not pushed down", "error", err)
		top.outer, top.branch = template{}, template{}
	}
	top.outerTree, top.branchTree = "", ""
	a.mu.Lock()
	defer a.mu.Unlock()
	a.top = top
	return nil
}
