package subscribe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

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

// Queued returns how many events wait for their readers, in all outboxes. It reads a counter.
func (h *Hub) Queued() int64 { return h.queued.Load() }

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
