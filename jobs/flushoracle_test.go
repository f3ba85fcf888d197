package jobs_test

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// oracle works out what must be flushed when, without the scheduler in mind: it looks
// at every second of the month, whether it is a tick, whether the oldest row gets old
// enough in it, and, at each write, how many rows there are.
type oracle struct {
	down   func(time.Time) bool
	policy jobs.FlushPolicy
	tick   func(time.Time) bool
	writes []simulatedWrite // That are still to come.
	out    []simulatedFlush

	buffered int
	oldest   time.Time
	missed   time.Time // When the first trigger was met while the server was down; zero: none was.
	missedBy jobs.Trigger
	again    time.Time // A second after the last flush; rows flush not before.
	waiting  time.Time // Is again while rows wait for it; zero: they do not.
}

// oracle returns the flushes of a table.
func (m *simulation) oracle(n kalam.TableNumber) []simulatedFlush {
	o := oracle{down: m.down, policy: m.tables[n].policy, tick: m.tables[n].tick}
	if o.policy == (jobs.FlushPolicy{}) {
		// A row of the backlog is a byte.
		o.policy.Rows, o.policy.Interval = min(m.rules.Rows, m.rules.Bytes), m.rules.Interval
	}
	for _, w := range m.writes {
		if w.table == n {
			o.writes = append(o.writes, w)
		}
	}
	wasDown := false
	for second := simulationStart; second.Sub(simulationStart) < simulated; second = second.Add(time.Second) {
		next := second.Add(time.Second)
		if o.buffered == 0 && !o.writesBefore(next) {
			continue // Nothing is there and nothing comes.
		}
		isDown := o.down(second)
		if wasDown && !isDown && !o.missed.IsZero() {
			o.flush(second, o.missedBy)
		}
		wasDown = isDown
		if o.tick != nil && o.tick(second) && o.oldest.Before(second) && o.waiting.IsZero() {
			o.due(second, jobs.TriggerCron)
		}
		for o.event(second, next) {
		}
	}
	return o.out
}

func (o *oracle) writesBefore(t time.Time) bool { return len(o.writes) > 0 && o.writes[0].at.Before(t) }

// event does the first thing that happens in a second, false when nothing does.
func (o *oracle) event(second, next time.Time) bool {
	deadline, by := o.oldest.Add(o.policy.Interval), jobs.TriggerInterval
	aged := o.policy.Interval > 0 && o.buffered > 0 && o.missed.IsZero()
	if !o.waiting.IsZero() {
		deadline, by, aged = o.waiting, jobs.TriggerRows, true
	}
	aged = aged && deadline.Before(next) && !deadline.Before(second)
	switch wrote := o.writesBefore(next); {
	case aged && (!wrote || !o.writes[0].at.Before(deadline)):
		o.waiting = time.Time{}
		o.due(deadline, by)
	case wrote:
		o.write(o.writes[0])
		o.writes = o.writes[1:]
	default:
		return false
	}
	return true
}

func (o *oracle) write(w simulatedWrite) {
	if o.buffered == 0 {
		o.oldest = w.at
	}
	o.buffered += w.rows
	switch {
	case o.policy.Rows == 0 || int64(o.buffered) < o.policy.Rows || !o.waiting.IsZero():
	case w.at.Before(o.again):
		o.waiting = o.again
	default:
		o.due(w.at, jobs.TriggerRows)
	}
}

// due flushes, or notes that this is to be done when the server is up again.
func (o *oracle) due(when time.Time, by jobs.Trigger) {
	switch {
	case o.buffered == 0:
	case !o.down(when):
		o.flush(when, by)
	case o.missed.IsZero():
		o.missed, o.missedBy = when, by
	}
}

func (o *oracle) flush(when time.Time, by jobs.Trigger) {
	o.out = append(o.out, simulatedFlush{when, by, o.buffered})
	o.buffered, o.missed, o.waiting, o.again = 0, time.Time{}, time.Time{}, when.Add(time.Second)
}
