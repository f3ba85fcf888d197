package activity

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// State is what a query does.
type State int32

// The states of a query, in the order in which it goes through them.
const (
	Starting State = iota // It is checked and composed.
	Waiting               // For a place to compute.
	Running               // It computes.
	Sending               // It is computed, and waits for its reader.
)

var stateNames = [...]string{Starting: "starting", Waiting: "waiting", Running: "running", Sending: "sending"}

// String returns the name in lower case.
func (s State) String() string { return stateNames[s] }

// Query is a query under way. Its methods may be called on nil, and from any goroutine.
type Query struct {
	registry *Registry
	info     Info // What does not change.
	cancel   context.CancelCauseFunc

	killed atomic.Bool
	state  atomic.Int32
	worker atomic.Int64
	memory atomic.Int64
}

// Info is what is known of a query.
type Info struct {
	ID   string // As KILL QUERY takes it.
	User kalam.UserID
	Role kalam.Role
	// SQL is the text as it was given. Its literals are its user's.
	SQL       string
	Namespace kalam.NamespaceID // Of names that have none.
	Began     time.Time
	State     State
	Worker    int   // Process that computes it or has computed it; 0 for none yet.
	Memory    int64 // Bytes that the process held when it was last looked at; 0 if it was not.
}

// Registry holds the queries under way. The zero value is empty and ready. Safe for
// concurrent use.
type Registry struct {
	mu      sync.Mutex // guards what follows
	queries map[string]*Query
}

type contextKey struct{}

// Of returns the query of a context, nil for none.
func Of(ctx context.Context) *Query {
	q, _ := ctx.Value(contextKey{}).(*Query) // Without one it is nil.
	return q
}

// Begin registers a query. The context ends with ctx, with End, and when the query is killed,
// which is its cause then. The caller calls End.
func (r *Registry) Begin(
	ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, sql string,
) (context.Context, *Query) {
	q := &Query{registry: r, info: Info{
		ID: newID(), User: p.User, Role: p.Role, SQL: sql, Namespace: ns, Began: time.Now(),
	}}
	ctx, q.cancel = context.WithCancelCause(context.WithValue(ctx, contextKey{}, q))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queries == nil {
		r.queries = map[string]*Query{}
	}
	r.queries[q.info.ID] = q
	return ctx, q
}

// newID returns an id that nobody guesses.
func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return "Q-" + hex.EncodeToString(b[:])
}

// End takes the query out. It may be called more than once.
func (q *Query) End() {
	if q == nil {
		return
	}
	q.registry.mu.Lock()
	delete(q.registry.queries, q.info.ID)
	q.registry.mu.Unlock()
	q.cancel(nil)
}

// Waits notes that the query waits for a place.
func (q *Query) Waits() { q.become(Waiting) }

// Runs notes that a process computes the query.
func (q *Query) Runs(worker int) {
	if q != nil {
		q.worker.Store(int64(worker))
	}
	q.become(Running)
}

// Sends notes that the query is computed.
func (q *Query) Sends() { q.become(Sending) }

func (q *Query) become(s State) {
	if q != nil {
		q.state.Store(int32(s))
	}
}

// Holds notes the memory of the process that computes the query, in bytes.
func (q *Query) Holds(bytes int64) {
	if q != nil {
		q.memory.Store(bytes)
	}
}

// Info returns what is known of the query.
func (q *Query) Info() Info {
	i := q.info
	i.State, i.Worker, i.Memory = State(q.state.Load()), int(q.worker.Load()), q.memory.Load()
	return i
}

// List returns the queries under way, the oldest first.
func (r *Registry) List() []Info {
	r.mu.Lock()
	all := slices.Collect(maps.Values(r.queries))
	r.mu.Unlock()
	out := make([]Info, len(all))
	for i, q := range all {
		out[i] = q.Info()
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID, b.ID)) })
	return out
}

// errKilled is the error of a query that was killed.
var errKilled = kalam.Errorf(kalam.CodeCanceled, "the query was ended by KILL QUERY")

// Err returns the error of a query that was killed, nil for any other.
func (q *Query) Err() error {
	if q != nil && q.killed.Load() {
		return errKilled
	}
	return nil
}

// Kill ends the query with an id, whose error becomes CodeCanceled. It reports false if may
// says no or there is none.
func (r *Registry) Kill(id string, may func(Info) bool) bool {
	r.mu.Lock()
	q := r.queries[id]
	r.mu.Unlock()
	if q == nil || !may(q.info) {
		return false
	}
	q.killed.Store(true)
	q.cancel(errKilled)
	return true
}
