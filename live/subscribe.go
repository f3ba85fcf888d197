package live

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/subscribe"
)

// Subscribe registers a live query for p. Registration comes first, then the
// read point of the initial rows at some seq, then events above it: nothing is
// lost and nothing comes twice. Errors: CodeInvalidSQL, CodeUnsupported (a
// construct or table that live queries do not take), CodeTableNotFound,
// CodePermissionDenied, CodeResourceExhausted (too many subscriptions).
func (qs *Queries) Subscribe(ctx context.Context, p kalam.Principal, r Request) (*Query, error) {
	for attempt := 1; ; attempt++ {
		c := qs.caller(p, r.Namespace)
		q, err := qs.subscribe(ctx, c, r)
		if err != nil || q.load == nil {
			c.EndStatement()
			c.Release()
		}
		if !errors.Is(err, kalam.ErrTableChanged) || attempt == maxAttempts || ctx.Err() != nil {
			return q, err
		}
	}
}

// maxAttempts is how often a live query starts again because its table is altered meanwhile.
const maxAttempts = 100

func (qs *Queries) subscribe(ctx context.Context, c *read.Caller, r Request) (*Query, error) {
	spec, err := qs.specOf(ctx, c, r)
	if err != nil {
		return nil, err
	}
	if spec.feed != nil {
		return qs.followFeed(ctx, c, spec, r)
	}
	if err := c.Hold(spec.table); err != nil {
		return nil, err
	}
	q := &Query{spec: spec}
	if q.sub, err = qs.register(c.Principal, spec, r); err != nil {
		return nil, err
	}
	point, view, err := c.Pin(ctx, spec.table)
	if err == nil {
		err = c.Newest(spec.table) // Who alters it has not ended this one, if it was registered too late for that.
	}
	if err == nil { // Nor has who revoked the right to it, or changed its policies.
		err = spec.still(ctx, c)
	}
	if err != nil {
		if point != nil {
			point.Release()
		}
		q.sub.Close()
		return nil, err
	}
	q.seq = point.Seq()
	if spec.options == nil {
		point.Release()
		return q, nil
	}
	if err := qs.checkWindow(c.Now, spec, view); err != nil {
		point.Release()
		q.sub.Close()
		return nil, err
	}
	q.load = &initialLoad{caller: c, point: point, view: view, spec: spec, last: spec.options.From}
	return q, nil
}

// still returns an error if the caller may not follow the table any more, or other rows of it.
func (spec *spec) still(ctx context.Context, c *read.Caller) error {
	if err := c.Access.MayStill(c.Principal, spec.table, access.Follow); err != nil {
		return err
	}
	now, err := c.Rule(ctx, spec.table, rights.Select)
	if err == nil && !now.Same(spec.rule) {
		err = kalam.TableChanged(spec.table.ID)
	}
	return err
}

// register tells the hub of the query. Its events wait until it is activated.
func (qs *Queries) register(p kalam.Principal, spec *spec, r Request) (*subscribe.Subscription, error) {
	listed, limit := "", qs.QueueLimit
	if spec.options != nil {
		b, err := json.Marshal(spec.options)
		if err != nil {
			return nil, err
		}
		listed = string(b)
		if spec.options.BufferSize > 0 {
			limit = spec.options.BufferSize
		}
	}
	return qs.Hub.Register(subscribe.Spec{
		Table: spec.table, Scope: spec.scope, User: p.User, Role: p.Role, Filter: spec.filter,
		Evaluator: spec.evaluator, Columns: spec.columns, ExactEvents: r.Exact, Guarded: spec.rule != nil, QueueLimit: limit, Outbox: r.Outbox,
		Connection: r.Connection, Subscription: r.ID, SQL: r.SQL, Options: listed,
	})
}
