package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

// LiveRequest asks for a live query.
type LiveRequest struct {
	Connection string        // 32 hex digits, unique to the client's connection.
	ID         string        // Chosen by the client, unique on its connection.
	SQL        string        // SELECT ... or SUBSCRIBE TO ...
	Params     []kalam.Value // For $1..$n of SQL.
	Namespace  kalam.NamespaceID
	Options    *LiveOptions // nil: no initial data, unless SUBSCRIBE TO has options.
	Exact      bool         // Events of the protocol option "exact"; otherwise KalamDB's.
	Outbox     *subscribe.Outbox
}

// LiveOptions choose the initial data. The zero value is all rows.
type LiveOptions struct {
	LastRows   int       `json:"last_rows,omitempty"`   // The newest n rows only; 0 is all.
	BatchSize  int       `json:"batch_size,omitempty"`  // Rows of a batch; 0 is DefaultBatchSize.
	From       kalam.Seq `json:"from,omitempty"`        // Only rows with a higher seq; it wins over LastRows.
	BufferSize int       `json:"buffer_size,omitempty"` // Undelivered events before the reader is closed; 0 is live.buffer_events.
}

// Bounds of LiveOptions.
const (
	DefaultBatchSize = 1000
	MaxLastRows      = 10000
)

// check refuses options out of bounds.
func (o *LiveOptions) check() error {
	switch {
	case o.LastRows < 0 || o.LastRows > MaxLastRows:
		return kalam.Errorf(kalam.CodeUnsupported, "last_rows must be between 0 and %d, got %d", MaxLastRows, o.LastRows)
	case o.BatchSize < 0 || o.BatchSize > MaxLastRows:
		return kalam.Errorf(kalam.CodeUnsupported, "batch_size must be between 1 and %d, got %d", MaxLastRows, o.BatchSize)
	case o.BufferSize < 0:
		return kalam.Errorf(kalam.CodeUnsupported, "buffer_size must be at least 1, got %d", o.BufferSize)
	}
	return nil
}

// NewOutbox returns the queue of one connection's live events; its owner closes it.
func (e *Engine) NewOutbox() *subscribe.Outbox { return e.hub.NewOutbox() }

// LiveCount returns the number of live queries.
func (e *Engine) LiveCount() int { return e.hub.Count() }

// LiveQuery is a registered live query: first its initial rows by NextBatch,
// then, after Activate, its events through the outbox. It is not safe for
// concurrent use, Close excepted; Close ends it.
type LiveQuery struct {
	sub  *subscribe.Subscription
	load *liveLoad // nil when no initial data was asked for.
	spec *liveSpec
	seq  kalam.Seq // Of the snapshot: later changes are events.
}

// liveSpec is the analysed text of a live query.
type liveSpec struct {
	table     *kalam.Table
	columns   []int // Indexes into table.Columns; nil is all.
	alias     string
	where     string // "" is all rows.
	filter    *subscribe.Filter
	evaluator subscribe.Evaluator
	options   *LiveOptions
	exact     bool
}

// Subscribe registers a live query for p. Registration comes first, then the
// snapshot of the initial rows at some seq, then events above it: nothing is
// lost and nothing comes twice. Errors: CodeInvalidSQL, CodeUnsupported (a
// construct or table that live queries do not take), CodeTableNotFound,
// CodePermissionDenied, CodeResourceExhausted (too many subscriptions).
func (e *Engine) Subscribe(ctx context.Context, p kalam.Principal, r LiveRequest) (*LiveQuery, error) {
	s := &session{Caller: e.caller(p, r.Namespace), e: e, params: r.Params}
	s.Now = e.now()
	q, err := s.subscribe(ctx, r)
	if err != nil || q.load == nil {
		s.EndStatement()
		s.Release()
	}
	return q, err
}

func (s *session) subscribe(ctx context.Context, r LiveRequest) (*LiveQuery, error) {
	spec, err := s.liveSpec(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.Hold(spec.table); err != nil {
		return nil, err
	}
	options := spec.options
	listed, limit := "", s.e.config.Live.BufferEvents
	if options != nil {
		b, err := json.Marshal(options)
		if err != nil {
			return nil, err
		}
		listed = string(b)
		if options.BufferSize > 0 {
			limit = options.BufferSize
		}
	}
	q := &LiveQuery{spec: spec}
	q.sub, err = s.e.hub.Register(subscribe.Spec{
		Table: spec.table, Scope: s.Scope(spec.table), User: s.Principal.User, Role: s.Principal.Role, Filter: spec.filter, Evaluator: spec.evaluator,
		Columns: spec.columns, ExactEvents: r.Exact, QueueLimit: limit, Outbox: r.Outbox, Connection: r.Connection, Subscription: r.ID,
		SQL: r.SQL, Options: listed,
	})
	if err != nil {
		return nil, err
	}
	snapshot, err := s.Pin(ctx, spec.table)
	if err != nil {
		q.sub.Close()
		return nil, err
	}
	q.seq = snapshot.Seq()
	if options == nil {
		snapshot.Release()
		return q, nil
	}
	if err := s.checkWindow(spec.table, options.From, snapshot.View(s.Scope(spec.table))); err != nil {
		snapshot.Release()
		q.sub.Close()
		return nil, err
	}
	q.load = &liveLoad{session: s, snapshot: snapshot, spec: spec, last: options.From}
	return q, nil
}

// liveSpec analyses the text of a live query and checks that p may follow it.
func (s *session) liveSpec(ctx context.Context, r LiveRequest) (*liveSpec, error) {
	spec := &liveSpec{options: r.Options, exact: r.Exact}
	text, err := spec.query(r.SQL)
	if err != nil {
		return nil, err
	}
	if spec.options != nil {
		if err := spec.options.check(); err != nil {
			return nil, err
		}
	}
	plan, err := s.Query.LiveQuery(ctx, text.text, s.params)
	if err != nil {
		return nil, placed(err, text.edits, text.pos)
	}
	if spec.table, err = s.Table(dialect.Name{Parts: plan.Table, Pos: plan.Position}, access.Follow); err != nil {
		return nil, placed(err, text.edits, text.pos)
	}
	if plan.Namespace != "" && plan.Namespace != string(spec.table.ID.Namespace) {
		err := kalam.Positioned(read.NotReferenced(plan.Namespace, spec.table.ID), plan.Position)
		return nil, placed(err, text.edits, text.pos)
	}
	spec.alias, spec.where = plan.Alias, plan.Where
	if spec.alias == "" {
		spec.alias = string(spec.table.ID.Name)
	}
	if spec.columns, err = liveColumnsOf(spec.table, plan.Columns); err != nil {
		return nil, err
	}
	return spec, s.liveFilter(ctx, spec, plan)
}

// query returns the SELECT of a SELECT or SUBSCRIBE TO statement; options of the
// latter count when the request has none.
func (spec *liveSpec) query(text string) (rawSQL, error) {
	st, err := dialect.Parse(text)
	if err != nil {
		return rawSQL{}, err
	}
	switch st := st.(type) {
	case *dialect.Select:
		return rawSQL{st.SQL, st.Pos, st.Edits}, nil
	case *dialect.SubscribeTo:
		if spec.options == nil && st.Options != nil {
			spec.options = liveOptions(st.Options)
		}
		return rawSQL{st.Query, st.Pos, st.Edits}, nil
	}
	return rawSQL{}, kalam.Errorf(kalam.CodeUnsupported,
		"a live query is a SELECT or SUBSCRIBE TO statement, not %s", st.Verb())
}

func liveOptions(o *dialect.SubscribeOptions) *LiveOptions {
	value := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	out := &LiveOptions{LastRows: value(o.LastRows), BatchSize: value(o.BatchSize), BufferSize: value(o.BufferSize)}
	if o.From != nil {
		out.From = *o.From
	}
	return out
}

// liveColumnsOf maps column names to indexes; nil stays nil.
func liveColumnsOf(t *kalam.Table, names []string) ([]int, error) {
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
			return nil, kalam.Errorf(kalam.CodeUnsupported, "Column '%s' comes with every event; leave it out of the select list", name)
		default:
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' does not exist", name)
		}
	}
	return out, nil
}

// liveFilter compiles the condition, or leaves it to DuckDB where only DuckDB
// knows the answer.
func (s *session) liveFilter(ctx context.Context, spec *liveSpec, plan *query.LivePlan) error {
	if plan.FilterErr == nil {
		f, err := subscribe.Compile(spec.table, plan.Filter, s.Principal.User, s.Principal.Role)
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
	ev := &sqlEvaluator{engine: s.e, principal: s.Principal, alias: spec.alias, where: spec.where, deleted: plan.NamesDeleted}
	spec.evaluator = ev
	// A condition that cannot be evaluated is refused now, not at the first change.
	_, err := ev.Match(ctx, spec.table, nil)
	return kalam.Unpositioned(err)
}

// LiveID returns the id for KILL LIVE QUERY.
func (q *LiveQuery) LiveID() string { return q.sub.ID() }

// ID returns the id that the client chose.
func (q *LiveQuery) ID() string { return q.sub.Spec().Subscription }

// Subscription returns the subscription that deliveries of the outbox name.
func (q *LiveQuery) Subscription() *subscribe.Subscription { return q.sub }

// Seq returns the seq of the snapshot: initial rows are not newer, events are.
// A client that has received nothing yet resumes from it.
func (q *LiveQuery) Seq() kalam.Seq { return q.seq }

// Table returns the table's definition at the time of Subscribe.
func (q *LiveQuery) Table() *kalam.Table { return q.spec.table }

// Columns returns the indexes into Table().Columns of the select list, nil for *.
func (q *LiveQuery) Columns() []int { return q.spec.columns }

// HasInitial reports whether initial data was asked for.
func (q *LiveQuery) HasInitial() bool { return q.load != nil }

// Fields describes the columns of the initial rows: those of the select list,
// or all with _seq and _deleted.
func (q *LiveQuery) Fields() []read.Field {
	var out []read.Field
	for _, c := range q.output() {
		out = append(out, c.Field)
	}
	return out
}

// output lists the columns of the initial rows.
func (q *LiveQuery) output() []read.Column {
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
func (q *LiveQuery) Activate() {
	q.endLoad()
	q.sub.Activate(q.seq)
}

// Close ends the live query. It may be called twice.
func (q *LiveQuery) Close() {
	q.sub.Close()
	q.endLoad()
}

func (q *LiveQuery) endLoad() {
	if q.load != nil {
		q.load.close()
		q.load = nil
	}
}

// sqlEvaluator decides by DuckDB which changed rows meet a condition.
type sqlEvaluator struct {
	engine    *Engine
	principal kalam.Principal
	alias     string
	where     string
	deleted   bool
}

// changesRelation is the name under which a condition reads changed rows.
const changesRelation = "_changes"

// Key makes no two principals share an evaluation.
func (v *sqlEvaluator) Key() string {
	return fmt.Sprintf("%q %s %q %q", v.principal.User, v.principal.Role, v.alias, v.where)
}

// NamesDeleted reports whether the condition names _deleted.
func (v *sqlEvaluator) NamesDeleted() bool { return v.deleted }

// Match evaluates the condition over the rows in one query.
func (v *sqlEvaluator) Match(ctx context.Context, t *kalam.Table, rows []kalam.Row) ([]bool, error) {
	batches, err := read.BatchesOf(t, rows)
	if err != nil {
		return nil, err
	}
	defer read.ReleaseBatches(batches)
	s := v.engine.caller(v.principal, "")
	s.Now = v.engine.now()
	defer s.EndStatement()
	q := sqltext.QuoteIdent(v.alias)
	sql := fmt.Sprintf("SELECT %s.%s FROM %s AS %s WHERE (%s)", q, kalam.ColumnSeq, changesRelation, q, v.where)
	source := &query.Source{Schema: datatype.TableSchema(t), Batches: batches}
	res, err := s.Open(ctx, sql, nil, read.Options{Composed: true, Given: map[string]read.Given{changesRelation: {Source: source}}})
	if err != nil {
		return nil, err
	}
	defer res.Close()
	hit := make(map[kalam.Seq]bool, len(rows))
	if err := res.Each(ctx, func(vals []kalam.Value) error {
		hit[kalam.Seq(vals[0].Int())] = true
		return nil
	}); err != nil {
		return nil, err
	}
	out := make([]bool, len(rows))
	for i := range rows {
		out[i] = hit[rows[i].Seq]
	}
	return out, nil
}

// killLive ends a live query: one's own, or any for admins. Others learn nothing
// of the live queries of another user, not even whether there is one.
func (s *session) killLive(st *dialect.KillLive) error {
	if !access.Has(s.Principal, access.KillLive) && !kalam.IsLiveIDOf(st.ID, s.Principal.User) {
		return kalam.Errorf(kalam.CodePermissionDenied, "live query '%s' is not one of user '%s'", st.ID, s.Principal.User).At(st.Pos)
	}
	if s.e.hub.Kill(st.ID) {
		return s.message(0, "Live query killed: "+st.ID)
	}
	return kalam.Errorf(kalam.CodeNotFound, "Live query '%s' not found", st.ID).At(st.Pos)
}

// subscribeTo answers SUBSCRIBE TO over HTTP with where to subscribe; it
// registers nothing.
func (s *session) subscribeTo(st *dialect.SubscribeTo) error {
	if err := s.checkParams(st.Params); err != nil {
		return err
	}
	sub := map[string]any{"id": fmt.Sprintf("sub-%s-%x", strings.ReplaceAll(st.Table.String(), ".", "-"), uint64(s.e.store.Clock().Next())), "sql": st.Query}
	if len(s.params) > 0 {
		sub["params"] = paramsJSON(s.params)
	}
	if st.Options != nil {
		sub["options"] = liveOptions(st.Options)
	}
	b, err := json.Marshal(sub)
	if err != nil {
		return err
	}
	url := fmt.Sprintf("ws://%s:%d/%s/ws", s.e.config.Server.Host, s.e.config.Server.Port, s.e.config.Server.APIVersion)
	return s.listing(subscribeColumns, [][]kalam.Value{{
		kalam.Text("active"), kalam.Text(url), kalam.JSON(string(b)),
		kalam.Text("WebSocket subscription created. Connect to ws_url to receive updates."),
	}}, "")
}

// paramsJSON writes parameters as a client sends them: integers as numbers.
func paramsJSON(params []kalam.Value) []json.RawMessage {
	var out []json.RawMessage
	for _, v := range params {
		if v.Kind() == kalam.KindBigInt {
			out = append(out, strconv.AppendInt(nil, v.Int(), 10))
			continue
		}
		out = append(out, datatype.AppendValue(nil, v))
	}
	return out
}

var subscribeColumns = systables.Columns("status TEXT, ws_url TEXT, subscription JSON, message TEXT")
