package audit

import (
	"context"
	"time"
)

const (
	// windowLife is after how long counts are written.
	windowLife = 10 * time.Minute
	// maxDetails is how long the details are that tell events of one kind apart.
	maxDetails = 200
)

// Which of the windows an event belongs to. What does not succeed costs its author nothing, so there is less room.
const (
	succeeded = iota
	refused
)

// room is how many events a window writes one by one, of all and of one actor from one address.
var room = [2]struct{ all, source int }{{500, 400}, {200, 20}}

// likeness is what repeats have in common.
type likeness struct {
	action, outcome, actor, user, subject, target, address, by string
	details                                                    string
}

type source struct{ actor, address string }

// summary is what counts events that are not told one by one.
type summary struct{ action, outcome, actor string }

// window counts events for a time.
type window struct {
	kinds   map[likeness]*Event // Repeats is the number of those after the first.
	sources map[source]int
	more    map[summary]*Event
}

// maxSummaries bounds window.more, but for one summary for each outcome, of which there are few.
const maxSummaries = 100

// Note has an event written soon, unless one like it was written in the last minutes: then it is counted. It does not
// wait for the disk, and is cheap however often it is called.
func (l *Log) Note(e Event) {
	e = e.bounded()
	e.Time = l.now().UTC().Truncate(time.Microsecond)
	k := likeness{
		e.Action, e.Outcome, e.Actor, e.User, e.Subject, e.Target, e.Address, e.By, e.Details[:min(len(e.Details), maxDetails)],
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	class := refused
	if e.Outcome == OK {
		class = succeeded
	}
	w, from := &l.windows[class], source{e.Actor, e.Address}
	if first := w.kinds[k]; first != nil {
		first.again(e.Time)
		return
	}
	if len(w.kinds) >= room[class].all || w.sources[from] >= room[class].source {
		w.count(&e)
		return
	}
	w.kinds[k] = &e
	w.sources[from]++
	l.queue = append(l.queue, e)
	l.awaken()
}

// again counts an event like e.
func (e *Event) again(at time.Time) {
	if e.Repeats == 0 {
		e.Earliest = at
	}
	e.Repeats, e.Time = e.Repeats+1, at
}

// count counts an event for which there is no room.
func (w *window) count(e *Event) {
	k := summary{e.Action, e.Outcome, e.Actor}
	if w.more[k] == nil && len(w.more) >= maxSummaries {
		k = summary{outcome: e.Outcome}
	}
	if w.more[k] == nil {
		w.more[k] = &Event{Action: k.action, Outcome: k.outcome, Actor: k.actor, Details: "more than are told one by one"}
	}
	w.more[k].again(e.Time)
}

// clearWindows begins new windows. l.mu is held, or nobody has l yet.
func (l *Log) clearWindows() {
	for i := range l.windows {
		l.windows[i] = window{map[likeness]*Event{}, map[source]int{}, map[summary]*Event{}}
	}
}

// Settle writes what was noted and, when all or the windows are over, what was counted.
func (l *Log) Settle(ctx context.Context, all bool) error {
	l.mu.Lock()
	events := l.queue
	l.queue = nil
	if now := l.now(); all || now.Sub(l.begun) >= windowLife {
		for i := range l.windows {
			events = l.windows[i].counted(events)
		}
		l.clearWindows()
		l.begun = now
	}
	l.mu.Unlock()
	for len(events) > 0 {
		n := min(len(events), maxNoted)
		if err := l.batch(ctx, nil, true, events[:n]); err != nil {
			l.lost.Add(int64(len(events)))
			return err
		}
		events = events[n:]
	}
	return nil
}

// maxNoted is how many events are written in one batch.
const maxNoted = 50

// counted appends the counts of a window.
func (w *window) counted(events []Event) []Event {
	for _, e := range w.kinds {
		if e.Repeats > 0 {
			events = append(events, *e)
		}
	}
	for _, e := range w.more {
		events = append(events, *e)
	}
	return events
}
