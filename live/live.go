package live

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/read/policy"
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
	Retention  int                    // Hours that tombstones are kept, of a table that does not say it.
	Timeout    time.Duration          // Of what DuckDB evaluates of a condition at a time; 0 is none.
	Feeds      map[kalam.TableID]Feed // The computed tables that can be followed.
	QueueLimit int                    // Undelivered events before a reader is closed that does not ask for another limit.
}

// Feed tells of the changes of a computed table, which it publishes to the hub.
type Feed interface {
	// Table returns the definition of the rows, with a number of its own and a key.
	Table() *kalam.Table
	// Seq returns a seq above that of every change that was published.
	Seq() kalam.Seq
	// Snapshot returns all rows as they were at a seq, by rising seq, none above that one. What changed later is
	// published with a higher one.
	Snapshot(ctx context.Context) (kalam.Seq, []kalam.Row, error)
}

// caller returns who reads, as of now.
func (qs *Queries) caller(p kalam.Principal, ns kalam.NamespaceID) *read.Caller {
	if ns == "" {
		ns = kalam.DefaultNamespace
	}
	return &read.Caller{Reader: qs.Reader, Principal: p, Namespace: ns, Now: qs.Now()}
}

// NewOutbox returns the queue of one connection's live events; its owner closes it.
func (qs *Queries) NewOutbox() *subscribe.Outbox { return qs.Hub.NewOutbox() }

// Count returns the number of live queries.
func (qs *Queries) Count() int { return qs.Hub.Count() }

// Query is a registered live query: first its initial rows by NextBatch,
// then, after Activate, its events through the outbox. It is not safe for
// concurrent use, Close excepted; Close ends it.
type Query struct {
	sub  *subscribe.Subscription
	load *initialLoad // nil when no initial data was asked for.
	spec *spec
	seq  kalam.Seq // Of the read point: later changes are events.
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

// spec is the analysed text of a live query.
type spec struct {
	table     *kalam.Table
	scope     kalam.Scope
	columns   []int // Indexes into table.Columns; nil is all.
	alias     string
	where     string // "" is all rows.
	filter    *subscribe.Filter
	evaluator subscribe.Evaluator
	feed      Feed         // Of a computed table; nil for a stored one.
	rule      *policy.Rule // Which rows of the table are the caller's to see; nil: all.
	options   *Options
	exact     bool
}

// Batch is one batch of initial rows, by rising _seq.
type Batch struct {
	Number  int // From 0.
	Rows    [][]kalam.Value
	Seqs    []kalam.Seq // Of each row.
	HasMore bool
	LastSeq kalam.Seq // Everything up to it was given, Gone left out; 0 when there is nothing.
	// Gone are, by rising seq, the rows that the result of a resumed query has lost
	// since: deleted, or, in exact mode, not in the condition any more. They are later
	// than the rows of the batch and earlier than those of the next.
	Gone []*subscribe.Event
	// Follows says that the next batch is part of what was asked for: it is to be
	// given without being asked for itself.
	Follows bool
}

// initialLoad reads the initial rows of a live query, page by page, out of one
// read point that stays pinned until the last page.
type initialLoad struct {
	caller  *read.Caller
	point   *buffer.ReadPoint
	view    *buffer.View
	given   map[string]read.Given // In place of the point: the rows of a feed.
	free    func()                // Releases given.
	spec    *spec
	number  int
	last    kalam.Seq // Up to where rows were read.
	started bool
	done    bool

	lookAhead []resumedRow // Of a resume: read, but not given.
	upTo      kalam.Seq    // Up to where they were given.
	unread    bool         // There may be more.
}

func (l *initialLoad) close() {
	if l.caller == nil {
		return
	}
	if l.point != nil {
		l.point.Release()
	}
	if l.free != nil {
		l.free()
	}
	l.caller.EndStatement()
	l.caller.Release()
	l.point, l.given, l.caller = nil, nil, nil
}

// resumedRow is the newest version of a key that was written since a client left.
type resumedRow struct {
	seq  kalam.Seq
	row  []kalam.Value    // Of the result; nil when
	gone *subscribe.Event // the client may have a row that is not one any more.
}
