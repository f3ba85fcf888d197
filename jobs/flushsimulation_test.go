package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// backlog is buffered rows in memory: jobs.BacklogCounters and jobs.BacklogMarks.
type backlog struct {
	mu      sync.Mutex // guards the fields below
	rows    map[kalam.TableNumber][]kalam.Seq
	rowSize int64
	marks   map[kalam.TableNumber]int64 // Absent of a table with rows: none.
	mark    int64
	reached []kalam.TableNumber
	grown   chan struct{}
	last    kalam.Seq
}

func newBacklog() *backlog {
	return &backlog{
		rows: map[kalam.TableNumber][]kalam.Seq{}, rowSize: 1, marks: map[kalam.TableNumber]int64{}, grown: make(chan struct{}, 1),
	}
}

// write buffers rows of a table at a time.
func (b *backlog) write(n kalam.TableNumber, rows int, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows[n]) == 0 {
		b.marks[n] = 1
	}
	for range rows {
		b.last = max(b.last+1, kalam.SeqAt(at))
		b.rows[n] = append(b.rows[n], b.last)
	}
	b.checkLocked(n)
}

func (b *backlog) checkLocked(n kalam.TableNumber) {
	if mark, ok := b.marks[n]; ok && int64(len(b.rows[n])) >= mark && len(b.rows[n]) > 0 {
		delete(b.marks, n)
		b.reached = append(b.reached, n)
		b.tellLocked()
	}
	if b.mark > 0 && b.bytesLocked() >= b.mark {
		b.mark = 0
		b.tellLocked()
	}
}

func (b *backlog) tellLocked() {
	select {
	case b.grown <- struct{}{}:
	default:
	}
}

// flush takes the rows up to a seq and returns how many there were.
func (b *backlog) flush(n kalam.TableNumber, upTo kalam.Seq) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, found := slices.BinarySearch(b.rows[n], upTo)
	if found {
		i++
	}
	b.rows[n] = b.rows[n][i:]
	return i
}

// newest returns the seq of the newest row of a table.
func (b *backlog) newest(n kalam.TableNumber) kalam.Seq {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rows[n]) == 0 {
		return 0
	}
	return b.rows[n][len(b.rows[n])-1]
}

// restart makes the backlog as a new process finds it.
func (b *backlog) restart() {
	clear(b.marks)
	b.mark, b.reached = 0, nil
	for n, rows := range b.rows {
		if len(rows) > 0 {
			b.reached = append(b.reached, n)
		}
	}
	b.tellLocked()
}

func (b *backlog) bytesLocked() (sum int64) {
	for _, rows := range b.rows {
		sum += int64(len(rows)) * b.rowSize
	}
	return sum
}

func (b *backlog) TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if list := b.rows[n]; len(list) > 0 {
		return int64(len(list)), int64(len(list)) * b.rowSize, list[0]
	}
	return 0, 0, 0
}

func (b *backlog) BufferedTables() map[kalam.TableNumber]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[kalam.TableNumber]int64{}
	for n, rows := range b.rows {
		if len(rows) > 0 {
			out[n] = int64(len(rows)) * b.rowSize
		}
	}
	return out
}

func (b *backlog) BufferedBytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytesLocked()
}

func (b *backlog) Grown() <-chan struct{} { return b.grown }

func (b *backlog) TakeGrown() []kalam.TableNumber {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.reached
	b.reached = nil
	return out
}

func (b *backlog) MarkRows(n kalam.TableNumber, rows int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.marks, n)
	if rows > 0 && len(b.rows[n]) > 0 {
		b.marks[n] = rows
	}
	b.checkLocked(n)
}

func (b *backlog) MarkBytes(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark = bytes
	if bytes > 0 && b.bytesLocked() >= bytes {
		b.mark = 0
		b.tellLocked()
	}
}

// Times of the simulation.
const simulated = 30 * 24 * time.Hour

var simulationStart = time.Date(2026, 2, 25, 12, 0, 0, 0, time.UTC)

// simulatedTable is a table of the simulation with an oracle that was written
// without the scheduler in mind: it looks at every second of the month.
type simulatedTable struct {
	name   string
	policy jobs.FlushPolicy
	tick   func(time.Time) bool // Whether the second is a tick of the policy's cron line.
	every  time.Duration        // Mean time between writes.
}

func simulatedTables(t *testing.T) []simulatedTable {
	minute := func(every int) func(time.Time) bool {
		return func(at time.Time) bool { return at.Second() == 0 && at.Minute()%every == 0 }
	}
	second := func(every int64) func(time.Time) bool { return func(at time.Time) bool { return at.Unix()%every == 0 } }
	clock := func(hour, minute int) func(time.Time) bool {
		return func(at time.Time) bool { return at.Second() == 0 && at.Minute() == minute && at.Hour() == hour }
	}
	cron := func(line string) *jobs.Schedule { return schedule(t, line) }
	return []simulatedTable{
		{"default, busy", jobs.FlushPolicy{}, nil, 70 * time.Second},
		{"default, rare", jobs.FlushPolicy{}, nil, 5 * time.Hour},
		{"rows", jobs.FlushPolicy{Rows: 50}, nil, time.Minute},
		{"one row", jobs.FlushPolicy{Rows: 1}, nil, 10 * time.Minute},
		{"one row, often", jobs.FlushPolicy{Rows: 1}, nil, 30 * time.Second},
		{"interval", jobs.FlushPolicy{Interval: 2 * time.Second}, nil, 100 * time.Second},
		{"long interval", jobs.FlushPolicy{Interval: 86399 * time.Second}, nil, 3 * time.Hour},
		{"rows or interval", jobs.FlushPolicy{Rows: 20, Interval: 10 * time.Minute}, nil, 90 * time.Second},
		{"manual", jobs.FlushPolicy{Manual: true}, nil, time.Hour},
		{"every 2s", jobs.FlushPolicy{Cron: cron("@every 2s")}, second(2), 100 * time.Second},
		{"every 90s", jobs.FlushPolicy{Cron: cron("@every 90s")}, second(90), 100 * time.Second},
		{"quarters", jobs.FlushPolicy{Cron: cron("*/15 * * * *")}, minute(15), 4 * time.Minute},
		{"hourly", jobs.FlushPolicy{Cron: cron("@hourly")}, minute(60), 2 * time.Hour},
		{"nightly", jobs.FlushPolicy{Cron: cron("30 3 * * *")}, clock(3, 30), 20 * time.Minute},
		{"working days", jobs.FlushPolicy{Cron: cron("0 9 * * MON-FRI")}, func(at time.Time) bool {
			return clock(9, 0)(at) && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
		}, 6 * time.Hour},
		{"first of the month or rows", jobs.FlushPolicy{Cron: cron("0 0 1 * *"), Rows: 300}, func(at time.Time) bool {
			return clock(0, 0)(at) && at.Day() == 1
		}, 45 * time.Minute},
		{"all", jobs.FlushPolicy{Cron: cron("*/5 * * * *"), Rows: 30, Interval: 4 * time.Minute}, minute(5), 70 * time.Second},
	}
}

// simulatedFlush is one flush of the simulation.
type simulatedFlush struct {
	at   time.Time
	by   jobs.Trigger
	rows int
}

func (f simulatedFlush) String() string {
	return fmt.Sprintf("%s by %s, %d rows", f.at.Format("01-02 15:04:05.000"), f.by, f.rows)
}

// writesOf invents the times of a table's writes, some of them in bursts of several
// rows, none while the server is down.
func writesOf(rng *rand.Rand, st simulatedTable, down func(time.Time) bool) (at []time.Time, rows []int) {
	for now := simulationStart; ; {
		now = now.Add(time.Duration(rng.ExpFloat64() * float64(st.every))).Truncate(time.Millisecond).Add(time.Millisecond)
		if now.Sub(simulationStart) >= simulated {
			return at, rows
		}
		if down(now) {
			continue
		}
		at = append(at, now)
		n := 1
		if rng.IntN(20) == 0 {
			n = 1 + rng.IntN(60)
		}
		rows = append(rows, n)
	}
}

// oracle returns what must be flushed when, by looking at every second: whether it
// is a tick, whether the oldest row is old enough, and, at each write, how many rows
// there are. up are the times of the server's starts.
func oracle(rules jobs.FlushRules, st simulatedTable, at []time.Time, rows []int, down func(time.Time) bool) (out []simulatedFlush) {
	p := st.policy
	if p == (jobs.FlushPolicy{}) {
		p.Rows, p.Interval = rules.Rows, rules.Interval
	}
	var buffered int
	var oldest, missed time.Time // missed: something fell due while the server was down.
	var again, waiting time.Time // again: a second after the last flush; waiting: rows are flushed then.
	var missedBy jobs.Trigger
	flush := func(when time.Time, by jobs.Trigger) {
		if buffered > 0 {
			out = append(out, simulatedFlush{when, by, buffered})
		}
		buffered, missed, waiting, again = 0, time.Time{}, time.Time{}, when.Add(time.Second)
	}
	due := func(when time.Time, by jobs.Trigger) {
		switch {
		case buffered == 0:
		case !down(when):
			flush(when, by)
		case missed.IsZero():
			missed, missedBy = when, by
		}
	}
	wasDown := false
	for second := simulationStart; second.Sub(simulationStart) < simulated; second = second.Add(time.Second) {
		next := second.Add(time.Second)
		if buffered == 0 && (len(at) == 0 || !at[0].Before(next)) {
			continue // Nothing is there and nothing comes.
		}
		isDown := down(second)
		if wasDown && !isDown && !missed.IsZero() {
			flush(second, missedBy)
		}
		wasDown = isDown
		if st.tick != nil && st.tick(second) && oldest.Before(second) && waiting.IsZero() {
			due(second, jobs.TriggerCron)
		}
		for {
			deadline, by := oldest.Add(p.Interval), jobs.TriggerInterval
			aged := p.Interval > 0 && buffered > 0 && missed.IsZero()
			if !waiting.IsZero() {
				deadline, by, aged = waiting, jobs.TriggerRows, true
			}
			aged = aged && deadline.Before(next) && !deadline.Before(second)
			wrote := len(at) > 0 && at[0].Before(next)
			switch {
			case aged && (!wrote || !at[0].Before(deadline)):
				waiting = time.Time{}
				due(deadline, by)
			case wrote:
				if buffered == 0 {
					oldest = at[0]
				}
				buffered += rows[0]
				switch {
				case p.Rows == 0 || int64(buffered) < p.Rows || !waiting.IsZero():
				case at[0].Before(again):
					waiting = again
				default:
					due(at[0], jobs.TriggerRows)
				}
				at, rows = at[1:], rows[1:]
			}
			if !aged && !wrote {
				break
			}
		}
	}
	return out
}

// TestThirtyDays runs the scheduler over 30 days of writes to tables with every kind
// of policy, on a clock that jumps from event to event, with a server that is down
// now and then, and compares every flush with the oracle: none is missed, none is
// doubled, none is at another time or of other rows.
func TestThirtyDays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	// The server is down in whole seconds, so that the oracle need not look closer.
	type gap struct{ from, to time.Time }
	var gaps []gap
	for at := simulationStart; ; {
		at = at.Add(time.Duration(1+rng.IntN(4*86400)) * time.Second)
		to := at.Add(time.Duration(1+rng.IntN(1<<rng.IntN(18))) * time.Second)
		if to.Sub(simulationStart) >= simulated {
			break
		}
		gaps = append(gaps, gap{at, to})
		at = to
	}
	isDown := make([]bool, simulated/time.Second)
	for _, g := range gaps {
		for at := g.from; at.Before(g.to); at = at.Add(time.Second) {
			isDown[at.Sub(simulationStart)/time.Second] = true
		}
	}
	down := func(at time.Time) bool { return isDown[at.Sub(simulationStart)/time.Second] }
	rules := jobs.FlushRules{Rows: 100, Interval: 300 * time.Second}
	tables := simulatedTables(t)
	type write struct {
		at    time.Time
		table kalam.TableNumber
		rows  int
	}
	var writes []write
	want := make([][]simulatedFlush, len(tables))
	for n, st := range tables {
		at, rows := writesOf(rng, st, down)
		for i := range at {
			writes = append(writes, write{at[i], kalam.TableNumber(n), rows[i]})
		}
		want[n] = oracle(rules, st, at, rows, down)
	}
	slices.SortStableFunc(writes, func(a, b write) int { return a.at.Compare(b.at) })

	now := simulationStart
	b := newBacklog()
	got := make([][]simulatedFlush, len(tables))
	var ended []kalam.Job
	options := jobs.FlushOptions{
		Rules: rules, Counters: b, Marks: b, Now: func() time.Time { return now },
		Policy: func(n kalam.TableNumber) (jobs.FlushPolicy, bool) { return tables[n].policy, true },
		Submit: func(_ context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
			j := kalam.Job{ID: kalam.JobID(fmt.Sprint(len(ended))), Kind: kalam.JobFlush, Number: n, Status: kalam.JobCompleted}
			got[n] = append(got[n], simulatedFlush{now, by, b.flush(n, b.newest(n))})
			ended = append(ended, j)
			return j.ID, nil
		},
	}
	s := jobs.NewFlushScheduler(options)
	// step runs the scheduler until it has nothing to do now, and returns when it has.
	step := func() time.Time {
		for {
			pause := s.Step(t.Context())
			for _, j := range ended {
				s.Ended(j)
			}
			if len(ended) == 0 && pause > 0 {
				return now.Add(pause)
			}
			ended = nil
		}
	}
	end := simulationStart.Add(simulated)
	next := step()
	for now.Before(end) {
		event := end
		if len(writes) > 0 {
			event = writes[0].at
		}
		stop := end
		if len(gaps) > 0 {
			stop = gaps[0].from
		}
		switch {
		case !next.After(event) && next.Before(stop): // The scheduler's own time.
			now = next
		case stop.Before(end) && !stop.After(event):
			now = gaps[0].to
			gaps = gaps[1:]
			b.restart()
			s = jobs.NewFlushScheduler(options)
		case event.Before(end):
			now = event
			b.write(writes[0].table, writes[0].rows, now)
			writes = writes[1:]
		default:
			now = end
			continue
		}
		next = step()
	}
	flushes := 0
	for n, st := range tables {
		flushes += len(got[n])
		if st.policy.Manual && len(got[n]) > 0 || !st.policy.Manual && len(got[n]) == 0 {
			t.Errorf("%s: %d flushes", st.name, len(got[n]))
		}
		for i := range max(len(got[n]), len(want[n])) {
			if i >= len(got[n]) || i >= len(want[n]) || !sameFlush(got[n][i], want[n][i]) {
				t.Errorf("%s: flush %d of %d differs:\ngot  %s\nwant %s", st.name, i, len(want[n]), nth(got[n], i), nth(want[n], i))
				break
			}
		}
	}
	t.Logf("%d flushes of %d tables in 30 days: 0 missed, 0 doubled", flushes, len(tables))
}

// sameFlush compares; which of two triggers at one moment is named does not matter.
func sameFlush(a, b simulatedFlush) bool { return a.at.Equal(b.at) && a.rows == b.rows }

// nth shows a flush and those around it.
func nth(list []simulatedFlush, i int) string {
	var out []string
	for _, f := range list[max(0, min(i-1, len(list))):min(i+2, len(list))] {
		out = append(out, f.String())
	}
	return strings.Join(out, "; ")
}
