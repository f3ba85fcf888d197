package link

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// Row is a row of a live query: cells by column name, in the JSON of the wire.
type Row = wire.Row

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of event.
const (
	EventInitial EventKind = iota + 1 // Rows that exist: at the start, or changed while the connection was lost.
	EventInsert                       // New.
	EventUpdate                       // Old and New.
	EventDelete                       // Old.
	EventState                        // The connection's state: State.
)

// String returns INITIAL, INSERT, UPDATE, DELETE or STATE.
func (k EventKind) String() string {
	switch k {
	case EventInitial:
		return "INITIAL"
	case EventInsert:
		return "INSERT"
	case EventUpdate:
		return "UPDATE"
	case EventDelete:
		return "DELETE"
	case EventState:
		return "STATE"
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// State is where the connection of a Subscription stands.
type State uint8

// The states.
const (
	StateConnected    State = iota + 1 // The subscription stands; initial rows, if any, follow.
	StateDisconnected                  // The connection is lost: Err. Events resume without a gap.
	StateConnecting                    // Attempt number Attempt to connect again.
	StateResumed                       // The subscription stands again; what changed since From follows.
	StateReset                         // Too much time went by to resume: forget all rows, they come anew.
)

// String returns the lower-case name.
func (s State) String() string {
	switch s {
	case StateConnected:
		return "connected"
	case StateDisconnected:
		return "disconnected"
	case StateConnecting:
		return "connecting"
	case StateResumed:
		return "resumed"
	case StateReset:
		return "reset"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Event is one event of a live query. Its rows must not be changed.
//
// An update has complete rows, NULLs included, from a server of kalam. One of
// KalamDB leaves out of New what is NULL, and of Old what did not change. Old of
// a delete has all columns and `_deleted`.
type Event struct {
	Kind EventKind
	Seq  kalam.Seq // The highest `_seq` in the event, 0 for none.

	Rows []Row // Of EventInitial, by rising `_seq`.
	Last bool  // Of EventInitial: no more initial rows follow.

	New Row // Of EventInsert and EventUpdate.
	Old Row // Of EventUpdate and EventDelete.

	State   State     // Of EventState.
	Attempt int       // Of StateConnecting, from 1.
	From    kalam.Seq // Of StateResumed.
	Err     error     // Of StateDisconnected: why.

	resume kalam.Seq      // From where to resume once the event was handed over.
	next   *wire.SeqID    // Of an initial batch with more to come: what to ask for.
	on     subscriptionID // The subscription on the wire that sent the event.
}

// subscriptionID names one subscription on one connection. A Subscription has a
// new one whenever it resumes, so that late frames of the old are told apart.
type subscriptionID string

// seqOf returns the `_seq` of a row, 0 if it has none.
func seqOf(r Row) kalam.Seq {
	cell := r[kalam.ColumnSeq]
	if len(cell) > 1 && cell[0] == '"' {
		cell = cell[1 : len(cell)-1]
	}
	return parseSeq(string(cell))
}

// frame is wire.ServerFrame with column types that may be unknown.
type frame struct {
	wire.ServerFrame
	Schema []rawField `json:"schema"`
	liveID string     // Of the subscription that is acknowledged, "" when not known.
}

// decodeFrame reads one message of the server.
func decodeFrame(b []byte) (*frame, error) {
	var f frame
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, wrap(KindSerialization, err, "decode frame")
	}
	if f.Type == "" {
		return nil, errorf(KindSerialization, "a frame without type: %s", oneLine(b))
	}
	return &f, nil
}

// lastSeq returns the seq of a batch_control, 0 for none.
func lastSeq(b wire.BatchControl) kalam.Seq {
	if seq := parseSeq(b.LastSeq); seq > 0 || b.LastSeqID == nil {
		return seq
	}
	return kalam.Seq(*b.LastSeqID)
}

// parseSeq reads a seq that comes as text, 0 for none.
func parseSeq(text string) kalam.Seq {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return kalam.Seq(n)
}
