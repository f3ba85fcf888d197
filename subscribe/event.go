package subscribe

import (
	"sync"

	"github.com/kalamlake/kalam"
)

// Event is one change as a live query sees it. One Event is shared by all
// subscriptions of one scope with equal filter, columns and mode, so it is
// immutable, its slices too, and safe for concurrent use.
//
// An insert has New. An update has New and Old. A delete has New, the tombstone,
// whose values are those of the deleted row, and Old, the row before. In exact
// mode a row that left the filter is a delete too, with Deleted false and New its
// values outside the filter, and a row that entered it is an insert with Old.
type Event struct {
	Kind    kalam.ChangeKind
	Table   *kalam.Table  // The definition by which New and Old were decoded.
	New     []kalam.Value // All columns of Table in order, whatever the subscription shows.
	Old     []kalam.Value // Like New; nil when there is no older version.
	NewSeq  kalam.Seq     // Of the change: what a client resumes from.
	OldSeq  kalam.Seq     // 0 when there is no older version.
	Deleted bool          // New is a tombstone.

	size  int64 // Bytes of the rows.
	mu    sync.Mutex
	forms []*encoding // Guarded by mu.
}

// maxForms bounds the encodings that one Event keeps.
const maxForms = 4

// encoding is one encoded form of an Event.
type encoding struct {
	form  string
	once  sync.Once
	bytes []byte
}

// Encoded returns the bytes of the event in a form, which is whatever
// distinguishes one encoding from another, the columns of the subscription
// excepted. The first caller makes them by encode, the others wait for it and get
// the same bytes, which nobody may change. An event keeps a few forms; further
// ones are made at each call.
func (e *Event) Encoded(form string, encode func() []byte) []byte {
	x := e.encoding(form)
	if x == nil {
		return encode()
	}
	x.once.Do(func() { x.bytes = encode() })
	return x.bytes
}

// encoding returns the slot of a form, nil when all are taken by others.
func (e *Event) encoding(form string) *encoding {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.forms {
		if x.form == form {
			return x
		}
	}
	if len(e.forms) == maxForms {
		return nil
	}
	x := &encoding{form: form}
	e.forms = append(e.forms, x)
	return x
}
