package subscribe

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/kalamlake/kalam"
)

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
	ID           string       // The live id; "" is kalam.LiveID of User, Connection and Subscription.
	Table        *kalam.Table // By which rows are decoded, also after it was altered.
	Scope        kalam.Scope  // Of Table.
	User         kalam.UserID // The subscriber, whose limit counts it.
	Role         kalam.Role   // As which the subscriber acts.
	Filter       *Filter      // Of Table; nil with a nil Evaluator: all rows.
	Evaluator    Evaluator    // In place of Filter.
	Columns      []int        // What its owner encodes, indexes into Table.Columns; nil is all.
	ExactEvents  bool         // A row that leaves the filter is a delete, one that enters it an insert.
	QueueLimit   int          // Events that may wait; 0 is HubOptions.MaxQueue.
	Outbox       *Outbox      // Where its events go; nil makes one of its own.
	Connection   string       // Id of the connection, for listings.
	Subscription string       // Id that the client chose, for listings.
	SQL          string       // For listings.
	Options      string       // JSON, for listings.
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
	if s.ExactEvents {
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

// Activate starts the delivery of the changes above seq, the seq of a snapshot
// taken after Register: those that came meanwhile first. Only the first call
// counts.
func (s *Subscription) Activate(seq kalam.Seq) { s.out.activate(s, seq) }

// Close ends the subscription. Nothing more of it is delivered after Close
// returns. Closing an ended one does nothing.
func (s *Subscription) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.removeLocked(s)
	s.out.end(s, nil)
}

// Status is the state of a subscription in listings.
type Status string

// The states of a subscription that has not ended.
const (
	StatusLoading Status = "loading" // Before Activate.
	StatusActive  Status = "active"
)

// Info is a subscription as system.live shows it.
type Info struct {
	ID           string
	Connection   string
	Subscription string
	Table        kalam.TableID
	Number       kalam.TableNumber
	User         kalam.UserID
	SQL          string
	Options      string // JSON.
	Status       Status
	Changes      int64 // Events handed to the reader of the outbox.
	CreatedAt    time.Time
	LastUpdate   time.Time // When the last event was handed out, zero before.
	LastSeq      kalam.Seq // Of that event.
	QueueDepth   int       // Events that wait.
}

// info reads the state of s.
func (s *Subscription) info() Info {
	i := Info{
		ID: s.spec.ID, Connection: s.spec.Connection, Subscription: s.spec.Subscription,
		Table: s.spec.Table.ID, Number: s.spec.Table.Number, User: s.spec.User,
		SQL: s.spec.SQL, Options: s.spec.Options, Status: StatusLoading, CreatedAt: s.created,
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.active {
		i.Status = StatusActive
	}
	i.Changes, i.LastUpdate, i.LastSeq, i.QueueDepth = s.changes, s.updated, s.last, s.waiting
	return i
}
