package query

import "context"

// Query runs a plan over one source per element of plan.Tables, in that order.
// It waits for its turn behind queries that came before, as long as ctx allows.
// The caller closes the Rows.
func (e *Planner) Query(ctx context.Context, plan *Plan, sources []Source, args Args) (*Rows, error) {
	if err := plan.check(sources, args); err != nil {
		return nil, err
	}
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	valued, err := e.withValues(ctx, plan, sources, args)
	if err != nil {
		return nil, e.worded(err, plan)
	}
	r, err := e.start(ctx, valued, sources, args)
	if err != nil {
		return nil, e.worded(err, plan)
	}
	e.count.statements.Add(1)
	return r, nil
}
