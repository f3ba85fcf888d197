package subscribe

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
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

// Close ends all subscriptions with ErrClosed and waits for the Hub's goroutines.
// Later changes are ignored, later Registers refused.
func (h *Hub) Close() error {
	h.inbox.close()
	h.mu.Lock()
	h.closed = true
	for _, s := range h.byID {
		h.endLocked(s, ErrClosed)
	}
	h.mu.Unlock()
	h.cancel()
	h.work.Wait()
	return nil
}

// Interested reports whether a scope has subscriptions. It costs one map lookup.
func (h *Hub) Interested(s kalam.Scope) bool {
	h.scopes.RLock()
	_, ok := h.feeds[s]
	h.scopes.RUnlock()
	return ok
}

// Register starts a subscription. It collects events from now on and delivers
// them after Activate. Errors: CodeInvalidOperation while the table is about to be
// dropped, CodeResourceExhausted with ErrLimit, CodeAlreadyExists for a taken live
// id, CodeShuttingDown after the Hub's Close, ErrClosed after the Outbox's. A table
// that was dropped before is the caller's to notice: its snapshot fails.
func (h *Hub) Register(spec Spec) (*Subscription, error) {
	if spec.ID == "" {
		spec.ID = kalam.LiveID(spec.User, spec.Connection, spec.Subscription)
	}
	if err := spec.check(); err != nil {
		return nil, err
	}
	if spec.QueueLimit <= 0 {
		spec.QueueLimit = h.o.MaxQueue
	}
	if spec.Outbox == nil {
		spec.Outbox = h.NewOutbox()
	}
	s := &Subscription{hub: h, out: spec.Outbox, spec: spec, created: h.o.Now()}
	m, groupKey := newMatcher(&spec), spec.groupKey() // Asks the evaluator, so not under the lock.
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.admitLocked(&spec); err != nil {
		return nil, err
	}
	h.byID[spec.ID] = s
	h.users[spec.User]++
	h.tables[spec.Table.Number]++
	s.out.subs[s] = struct{}{}
	h.joinLocked(s, m, groupKey)
	return s, nil
}

// admitLocked reports why a subscription may not start.
func (h *Hub) admitLocked(spec *Spec) error {
	switch {
	case h.closed:
		return kalam.Wrap(kalam.CodeShuttingDown, ErrClosed, "server is shutting down")
	case spec.Outbox.isClosed():
		return ErrClosed
	case h.blocked[spec.Table.Number] > 0:
		return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot subscribe to table '%s': it is being dropped",
			spec.Table.ID)
	case h.byID[spec.ID] != nil:
		return kalam.Errorf(kalam.CodeAlreadyExists, "Live query '%s' already exists", spec.ID)
	case h.o.MaxPerUser > 0 && h.users[spec.User] >= h.o.MaxPerUser:
		return kalam.Wrap(kalam.CodeResourceExhausted, ErrLimit, "Maximum subscriptions reached")
	}
	return nil
}

// endLocked ends a subscription and tells its reader why.
func (h *Hub) endLocked(s *Subscription, err error) {
	h.removeLocked(s)
	s.out.end(s, err)
}

// removeLocked takes a subscription out of everything that lists it; doing so
// again does nothing.
func (h *Hub) removeLocked(s *Subscription) {
	if h.byID[s.spec.ID] != s {
		return
	}
	delete(h.byID, s.spec.ID)
	delete(s.out.subs, s)
	decrement(h.users, s.spec.User)
	decrement(h.tables, s.spec.Table.Number)
	h.leaveLocked(s)
}

// decrement lowers a count and forgets it at zero.
func decrement[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
	}
}

// Kill ends a subscription with ErrKilled. It reports false when there is none of
// this live id.
func (h *Hub) Kill(liveID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.byID[liveID]
	if s == nil {
		return false
	}
	h.endLocked(s, ErrKilled)
	return true
}

// CloseUser ends the subscriptions of a user with err and returns their number.
func (h *Hub) CloseUser(user kalam.UserID, err error) int {
	return h.endWhere(err, func(s *Subscription) bool { return s.spec.User == user })
}

// CloseTable ends the subscriptions to a table with err and returns their number:
// what an altered table does to those that are to start anew.
func (h *Hub) CloseTable(n kalam.TableNumber, err error) int {
	return h.endWhere(err, func(s *Subscription) bool { return s.spec.Table.Number == n })
}

// endWhere ends the subscriptions for which f is true.
func (h *Hub) endWhere(err error, f func(*Subscription) bool) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.byID {
		if f(s) {
			h.endLocked(s, err)
			n++
		}
	}
	return n
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

// Lookup returns the subscription of a live id.
func (h *Hub) Lookup(liveID string) (Info, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.byID[liveID]
	if s == nil {
		return Info{}, false
	}
	return s.info(), true
}

// Subscriptions returns all subscriptions, oldest first, as they are at one
// moment; those that have ended are not among them.
func (h *Hub) Subscriptions() []Info {
	list := h.collect()
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return list
}

func (h *Hub) collect() []Info {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Info, 0, len(h.byID))
	for _, s := range h.byID {
		list = append(list, s.info())
	}
	return list
}
