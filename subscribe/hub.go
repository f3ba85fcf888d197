package subscribe

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
)

// Reasons why a subscription ends, and conditions, for errors.Is.
var (
	// ErrSlow ends a subscription whose reader, or whose evaluator, does not keep
	// up: its owner resumes from the last seq it has seen.
	ErrSlow = errors.New("slow consumer, resume from last seq")
	// ErrKilled ends a subscription by Hub.Kill.
	ErrKilled = errors.New("live query was killed")
	// ErrClosed ends subscriptions by Hub.Close; Outbox.Next returns it after
	// Outbox.Close.
	ErrClosed = errors.New("live queries are closed")
	// ErrLimit is in the error of Register for a user who has too many.
	ErrLimit = errors.New("subscription limit of the user")
)

// Defaults of HubOptions.
const (
	DefaultMaxQueue   = 1000
	DefaultMaxBytes   = 16 << 20
	DefaultMaxBacklog = 64 << 20
	DefaultMaxPerUser = 100
)

// HubOptions configure NewHub. The zero value is usable.
type HubOptions struct {
	Logger   *slog.Logger     // nil discards.
	Now      func() time.Time // nil is time.Now.
	MaxQueue int              // Events that may wait per subscription; 0 is DefaultMaxQueue.
	MaxBytes int64            // Bytes of rows that may wait per Outbox; 0 is DefaultMaxBytes.
	// Bytes of changes that may wait to be matched, in all and per Evaluator; 0 is DefaultMaxBacklog.
	MaxBacklog int64
	MaxPerUser int // Subscriptions of one user; 0 is DefaultMaxPerUser, negative any number.
	// Delivered is told, when a reader takes events, how long before that the last of them was committed: to the
	// millisecond, 0 at least. It is called under the lock of the Outbox and must not block. nil is nobody.
	Delivered func(lag time.Duration)
}

// Hub takes committed changes and gives them to the subscriptions of their
// scopes. It is safe for concurrent use.
type Hub struct {
	o      HubOptions
	log    *slog.Logger
	inbox  inbox
	work   sync.WaitGroup // Every goroutine of the Hub.
	ctx    context.Context
	cancel context.CancelFunc
	queued atomic.Int64 // Events that wait in all outboxes.

	// scopes guards feeds against Interested; feeds is changed under mu and
	// scopes, and read under either.
	scopes sync.RWMutex
	feeds  map[kalam.Scope]*feed

	// mu guards the fields below, the feeds with all they hold, and the sets of
	// the outboxes. It is taken before Outbox.mu, and never by Publish.
	mu      sync.Mutex
	closed  bool
	byID    map[string]*Subscription
	users   map[kalam.UserID]int
	tables  map[kalam.TableNumber]int
	blocked map[kalam.TableNumber]int // How often, by BlockTable.
}

// feed is a scope with subscriptions. Feeds, matchers and groups are guarded by
// Hub.mu and exist only while they have subscriptions.
type feed struct {
	scope    kalam.Scope
	byKey    map[string]*matcher
	matchers []*matcher
}

// matcher decides which changes of a scope subscriptions with one filter get. The
// fields up to cancel do not change.
type matcher struct {
	feed      *feed
	key       string
	table     *kalam.Table
	filter    *Filter   // nil: all rows, or evaluator decides.
	evaluator Evaluator // In place of filter.
	exact     bool
	guarded   bool            // See Spec.Guarded.
	deleted   bool            // The condition names _deleted.
	ctx       context.Context // Of the evaluator; ends with the last subscription.
	cancel    context.CancelFunc

	pos    int // In feed.matchers.
	groups map[string]*group
	lane   lane // For evaluator.

	hits []hit // The dispatcher's own.
	fail error // The dispatcher's own.
}

// group is the subscriptions of a matcher that show the same columns: they get the
// same events.
type group struct {
	matcher *matcher
	key     string
	subs    []*Subscription
}

// lane holds the changes that wait for an Evaluator. It is guarded by Hub.mu.
type lane struct {
	running bool
	changes []kalam.Change
	bytes   int64 // Of changes.
}

// laneBatch is the number of changes that an Evaluator gets at a time.
const laneBatch = 1024

// NewHub returns a Hub without subscriptions. Its owner calls Close.
func NewHub(o HubOptions) *Hub {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.MaxQueue = cmp.Or(o.MaxQueue, DefaultMaxQueue)
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	o.MaxBacklog = cmp.Or(o.MaxBacklog, DefaultMaxBacklog)
	o.MaxPerUser = cmp.Or(o.MaxPerUser, DefaultMaxPerUser)
	h := &Hub{
		o: o, log: o.Logger, feeds: map[kalam.Scope]*feed{}, byID: map[string]*Subscription{},
		users: map[kalam.UserID]int{}, tables: map[kalam.TableNumber]int{}, blocked: map[kalam.TableNumber]int{},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Interested reports whether a scope has subscriptions. It costs one map lookup.
func (h *Hub) Interested(s kalam.Scope) bool {
	h.scopes.RLock()
	_, ok := h.feeds[s]
	h.scopes.RUnlock()
	return ok
}

// BlockTable returns the number of subscriptions to a table. If it is 0 none can
// start until UnblockTable, which is to be called once for each BlockTable that
// returned 0.
func (h *Hub) BlockTable(n kalam.TableNumber) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if active := h.tables[n]; active > 0 {
		return active
	}
	h.blocked[n]++
	return 0
}

// UnblockTable ends the effect of one BlockTable.
func (h *Hub) UnblockTable(n kalam.TableNumber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	decrement(h.blocked, n)
}

// CountTable returns the number of subscriptions to a table.
func (h *Hub) CountTable(n kalam.TableNumber) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tables[n]
}

// CountScope returns the number of subscriptions to a scope.
func (h *Hub) CountScope(sc kalam.Scope) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.feeds[sc]
	if f == nil {
		return 0
	}
	for _, m := range f.matchers {
		for _, g := range m.groups {
			n += len(g.subs)
		}
	}
	return n
}

// Count returns the number of subscriptions.
func (h *Hub) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID)
}

// Subscription is one live query. It is safe for concurrent use. It ends by
// Close, by its Outbox's Close, or by what its last Delivery tells.
type Subscription struct {
	hub     *Hub
	out     *Outbox
	spec    Spec
	created time.Time
	group   *group
	pos     int // In group.subs; guarded by Hub.mu.

	// The fields below are guarded by Outbox.mu.
	active  bool
	ended   bool
	silent  bool       // Not even its end is delivered.
	start   kalam.Seq  // Only later events are delivered.
	held    [][]*Event // Came before Activate.
	waiting int        // Events in held and in the outbox.
	changes int64      // Events handed out.
	last    kalam.Seq  // Of the last event handed out.
	updated time.Time  // When it was handed out.
}

// ID returns the live id.
func (s *Subscription) ID() string { return s.spec.ID }

// Spec returns what Register was given, with its defaults filled in. It must not
// be changed.
func (s *Subscription) Spec() *Spec { return &s.spec }

// Outbox returns where the events go.
func (s *Subscription) Outbox() *Outbox { return s.out }

// Delivery is what an Outbox hands out: events of one subscription in commit
// order, or, as its last, why it has ended.
type Delivery struct {
	Subscription *Subscription
	Events       []*Event // Not empty when Err is nil; shared, not to be changed.
	Err          error    // ErrSlow, ErrKilled, ErrClosed, or what ended it.
}

// Outbox is the queue of one reader, for instance the goroutine that writes to a
// WebSocket, for any number of subscriptions; it needs no goroutine of its own.
// Deliveries follow the order of the commits, also across subscriptions, except
// that changes of one scope that come together are one delivery per subscription,
// and that those of an Evaluator come when it has decided. It has one reader at a
// time; all else is safe for concurrent use.
type Outbox struct {
	hub  *Hub
	subs map[*Subscription]struct{} // Guarded by Hub.mu.
	// Holds one token when the queue may have something; a second would tell nothing new.
	ready chan struct{}
	done  chan struct{} // Closed by Close.

	mu     sync.Mutex // guards the fields below and those of the subscriptions
	queue  []Delivery // From head on; bounded by the limits of the subscriptions and MaxBytes.
	head   int
	bytes  int64 // Of the events in queue and those held for Activate.
	closed bool
}

// NewOutbox returns an empty Outbox. Its owner calls Close.
func (h *Hub) NewOutbox() *Outbox {
	return &Outbox{hub: h, subs: map[*Subscription]struct{}{}, ready: make(chan struct{}, 1), done: make(chan struct{})}
}

// Evaluator decides which rows belong to a live query whose condition Compile
// does not cover. It is called off the committer's goroutine, for one
// subscription's changes in commit order, and must be safe for concurrent use.
type Evaluator interface {
	// Key returns a text that is equal for evaluators of one table that decide
	// alike. What depends on the user or the role has them in its key.
	Key() string
	// NamesDeleted reports whether the condition names _deleted.
	NamesDeleted() bool
	// Match returns for each row whether the condition is true for it. ctx ends
	// when nobody waits for the answer. An error ends the subscriptions that share
	// the evaluator, with that error.
	Match(ctx context.Context, t *kalam.Table, rows []kalam.Row) ([]bool, error)
}

// Spec describes a subscription. What it points to must not be changed.
type Spec struct {
	ID          string       // The live id; "" is kalam.LiveID of User, Connection and Subscription.
	Table       *kalam.Table // By which rows are decoded, also after it was altered.
	Scope       kalam.Scope  // Of Table.
	User        kalam.UserID // The subscriber, whose limit counts it.
	Role        kalam.Role   // As which the subscriber acts.
	Filter      *Filter      // Of Table; nil with a nil Evaluator: all rows.
	Evaluator   Evaluator    // In place of Filter.
	Columns     []int        // What its owner encodes, indexes into Table.Columns; nil is all.
	ExactEvents bool         // A row that leaves the filter is a delete, one that enters it an insert.
	// Guarded says that what is not in the filter is not the subscriber's to see: events are exact, a row that leaves the
	// filter is told of with the values that it had in it, and one that enters comes without those that it had outside.
	Guarded      bool
	QueueLimit   int     // Events that may wait; 0 is HubOptions.MaxQueue.
	Outbox       *Outbox // Where its events go; nil makes one of its own.
	Connection   string  // Id of the connection, for listings.
	Subscription string  // Id that the client chose, for listings.
	SQL          string  // For listings.
	Options      string  // JSON, for listings.
}

// check reports what is wrong with a Spec.
func (s *Spec) check() error {
	switch {
	case s.Table == nil:
		return kalam.Errorf(kalam.CodeInternal, "subscription '%s' has no table", s.ID)
	case s.Scope.Table != s.Table.Number:
		return kalam.Errorf(kalam.CodeInternal, "subscription '%s' to table %s has a scope of another table", s.ID,
			s.Table.ID)
	case s.Filter != nil && s.Evaluator != nil:
		return kalam.Errorf(kalam.CodeInternal, "subscription '%s' has a filter and an evaluator", s.ID)
	}
	for _, i := range s.Columns {
		if i < 0 || i >= len(s.Table.Columns) {
			return kalam.Errorf(kalam.CodeInternal, "subscription '%s' shows column %d, which table %s does not have",
				s.ID, i,
				s.Table.ID)
		}
	}
	return nil
}

// matcherKey returns a text that is equal for specs of one scope that select the
// same changes.
func (s *Spec) matcherKey() string {
	mode, key := byte('d'), "all"
	switch {
	case s.Guarded:
		mode = 'g'
	case s.ExactEvents:
		mode = 'x'
	}
	b := binary.AppendUvarint([]byte{mode}, uint64(s.Table.SchemaVersion))
	switch {
	case s.Evaluator != nil:
		b, key = append(b, 'e'), s.Evaluator.Key()
	case s.Filter != nil:
		key = s.Filter.Key()
	}
	return string(append(b, key...))
}

// groupKey returns a text that is equal for specs with one matcherKey that show
// the same columns.
func (s *Spec) groupKey() string {
	if s.Columns == nil {
		return ""
	}
	b := []byte{'c'}
	for _, i := range s.Columns {
		b = binary.AppendUvarint(b, uint64(i))
	}
	return string(b)
}

// decrement lowers a count and forgets it at zero.
func decrement[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
	}
}
