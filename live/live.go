package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/subscribe"
)

// Request asks for a live query.
type Request struct {
	Connection string        // 32 hex digits, unique to the client's connection.
	ID         string        // Chosen by the client, unique on its connection.
	SQL        string        // SELECT ... or SUBSCRIBE TO ...
	Params     []kalam.Value // For $1..$n of SQL.
	Namespace  kalam.NamespaceID
	Options    *Options // nil: no initial data, unless SUBSCRIBE TO has options.
	Exact      bool     // Events of the protocol option "exact"; otherwise KalamDB's.
	Outbox     *subscribe.Outbox
}

// Queries starts the live queries of one server. It is safe for concurrent use.
type Queries struct {
	Reader     *read.Reader
	Hub        *subscribe.Hub
	Now        func() time.Time
	Retention  int           // Hours that tombstones are kept, of a table that does not say it.
	Timeout    time.Duration // Of what DuckDB evaluates of a condition at a time; 0 is none.
	QueueLimit int           // Undelivered events before a reader is closed that does not ask for another limit.
}

// NewOutbox returns the queue of one connection's live events; its owner closes it.
func (qs *Queries) NewOutbox() *subscribe.Outbox { return qs.Hub.NewOutbox() }

// Count returns the number of live queries.
func (qs *Queries) Count() int { return qs.Hub.Count() }

// caller returns who reads, as of now.
func (qs *Queries) caller(p kalam.Principal, ns kalam.NamespaceID) *read.Caller {
	if ns == "" {
		ns = kalam.DefaultNamespace
	}
	return &read.Caller{Reader: qs.Reader, Principal: p, Namespace: ns, Now: qs.Now()}
}

// Query is a registered live query: first its initial rows by NextBatch,
// then, after Activate, its events through the outbox. It is not safe for
// concurrent use, Close excepted; Close ends it.
type Query struct {
	sub  *subscribe.Subscription
	load *initialLoad // nil when no initial data was asked for.
	spec *spec
	seq  kalam.Seq // Of the read point: later changes are events.
}

// Subscribe registers a live query for p. Registration comes first, then the
// read point of the initial rows at some seq, then events above it: nothing is
// lost and nothing comes twice. Errors: CodeInvalidSQL, CodeUnsupported (a
// construct or table that live queries do not take), CodeTableNotFound,
// CodePermissionDenied, CodeResourceExhausted (too many subscriptions).
func (qs *Queries) Subscribe(ctx context.Context, p kalam.Principal, r Request) (*Query, error) {
	c := qs.caller(p, r.Namespace)
	q, err := qs.subscribe(ctx, c, r)
	if err != nil || q.load == nil {
		c.EndStatement()
		c.Release()
	}
	return q, err
}

func (qs *Queries) subscribe(ctx context.Context, c *read.Caller, r Request) (*Query, error) {
	spec, err := qs.specOf(ctx, c, r)
	if err != nil {
		return nil, err
	}
	if err := c.Hold(spec.table); err != nil {
		return nil, err
	}
	q := &Query{spec: spec}
	if q.sub, err = qs.register(c.Principal, spec, r); err != nil {
		return nil, err
	}
	point, view, err := c.Pin(ctx, spec.table)
	if err != nil {
		q.sub.Close()
		return nil, err
	}
	q.seq = point.Seq()
	if spec.options == nil {
		point.Release()
		return q, nil
	}
	if err := qs.checkWindow(c.Now, spec.table, spec.options.From, view); err != nil {
		point.Release()
		q.sub.Close()
		return nil, err
	}
	q.load = &initialLoad{caller: c, point: point, view: view, spec: spec, last: spec.options.From}
	return q, nil
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
		Evaluator: spec.evaluator, Columns: spec.columns, ExactEvents: r.Exact, QueueLimit: limit, Outbox: r.Outbox,
		Connection: r.Connection, Subscription: r.ID, SQL: r.SQL, Options: listed,
	})
}

// LiveID returns the id for KILL LIVE QUERY.
func (q *Query) LiveID() string { return q.sub.ID() }

// ID returns the id that the client chose.
func (q *Query) ID() string { return q.sub.Spec().Subscription }

// Subscription returns the subscription that deliveries of the outbox name.
func (q *Query) Subscription() *subscribe.Subscription { return q.sub }

// Seq returns the seq of the read point: initial rows are not newer, events are.
// A client that has received nothing yet resumes from it.
func (q *Query) Seq() kalam.Seq { return q.seq }

// Table returns the table's definition at the time of Subscribe.
func (q *Query) Table() *kalam.Table { return q.spec.table }

// Columns returns the indexes into Table().Columns of the select list, nil for *.
func (q *Query) Columns() []int { return q.spec.columns }

// HasInitial reports whether initial data was asked for.
func (q *Query) HasInitial() bool { return q.load != nil }

// Fields describes the columns of the initial rows: those of the select list,
// or all with _seq and _deleted.
func (q *Query) Fields() []read.Field {
	var out []read.Field
	for _, c := range q.output() {
		out = append(out, c.Field)
	}
	return out
}

// output lists the columns of the initial rows.
func (q *Query) output() []read.Column {
	t := q.spec.table
	if q.spec.columns == nil {
		out, _ := read.Columns(t, &dialect.Point{}) // All columns always map.
		return out
	}
	out := make([]read.Column, 0, len(q.spec.columns))
	for _, i := range q.spec.columns {
		out = append(out, read.ColumnOf(t, i, t.Columns[i].Name))
	}
	return out
}

// Activate lets events through; call it after the last batch, or without
// initial data after the acknowledgement, was handed to the client.
func (q *Query) Activate() {
	q.endLoad()
	q.sub.Activate(q.seq)
}

// Close ends the live query. It may be called twice.
func (q *Query) Close() {
	q.sub.Close()
	q.endLoad()
}

func (q *Query) endLoad() {
	if q.load != nil {
		q.load.close()
		q.load = nil
	}
}
