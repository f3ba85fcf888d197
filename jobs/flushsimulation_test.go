package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

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
	cronIn := func(line, name string) *jobs.Schedule {
		s, err := jobs.ParseScheduleIn(line, zone(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// The month ends before the clocks of Berlin are set: what happens then is in TestScheduleInZone.
	clockIn := func(hour, minute int, name string) func(time.Time) bool {
		at := zone(t, name)
		return func(utc time.Time) bool { return utc.Second() == 0 && clock(hour, minute)(utc.In(at)) }
	}
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
		{"nightly in Berlin", jobs.FlushPolicy{Cron: cronIn("30 2 * * *", "Europe/Berlin")}, clockIn(2, 30,
			"Europe/Berlin"), 20 * time.Minute},
		{"first of the month or rows", jobs.FlushPolicy{Cron: cron("0 0 1 * *"), Rows: 300}, func(at time.Time) bool {
			return clock(0, 0)(at) && at.Day() == 1
		}, 45 * time.Minute},
		{"all", jobs.FlushPolicy{Cron: cron("*/5 * * * *"), Rows: 30, Interval: 4 * time.Minute}, minute(5),
			70 * time.Second},
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

// simulatedWrite is one statement: some rows of one table.
type simulatedWrite struct {
	at    time.Time
	table kalam.TableNumber
	rows  int
}

// gap is a time in which the server is down, in whole seconds, so that the oracle
// need not look closer.
type gap struct{ from, to time.Time }

// simulation is a scheduler on a clock that jumps from event to event: to the next
// write, to the scheduler's own next time, or over a gap.
type simulation struct {
	t      *testing.T
	rules  jobs.FlushRules
	tables []simulatedTable
	writes []simulatedWrite
	gaps   []gap
	isDown []bool // By second.

	backlog   *backlog
	scheduler *jobs.FlushScheduler
	now       time.Time
	ended     []kalam.Job // Flushes that the scheduler does not know of yet: they take no time.
	got       [][]simulatedFlush
}

func newSimulation(t *testing.T, rng *rand.Rand) *simulation {
	m := &simulation{
		t: t, rules: jobs.FlushRules{Rows: 100, Bytes: 80, Interval: 300 * time.Second}, tables: simulatedTables(t),
		backlog: newBacklog(), now: simulationStart, isDown: make([]bool, simulated/time.Second),
	}
	m.got = make([][]simulatedFlush, len(m.tables))
	for at := simulationStart; ; {
		at = at.Add(time.Duration(1+rng.IntN(4*86400)) * time.Second)
		to := at.Add(time.Duration(1+rng.IntN(1<<rng.IntN(18))) * time.Second)
		if to.Sub(simulationStart) >= simulated {
			break
		}
		m.gaps = append(m.gaps, gap{at, to})
		for ; at.Before(to); at = at.Add(time.Second) {
			m.isDown[at.Sub(simulationStart)/time.Second] = true
		}
	}
	for n := range m.tables {
		m.invent(rng, kalam.TableNumber(n))
	}
	slices.SortStableFunc(m.writes, func(a, b simulatedWrite) int { return a.at.Compare(b.at) })
	return m
}

func (m *simulation) down(at time.Time) bool { return m.isDown[at.Sub(simulationStart)/time.Second] }

// invent adds the writes of a table, some of them bursts of several rows, none
// while the server is down.
func (m *simulation) invent(rng *rand.Rand, n kalam.TableNumber) {
	for at := simulationStart; ; {
		pause := time.Duration(rng.ExpFloat64() * float64(m.tables[n].every))
		at = at.Add(pause).Truncate(time.Millisecond).Add(time.Millisecond)
		switch {
		case at.Sub(simulationStart) >= simulated:
			return
		case m.down(at):
		case rng.IntN(20) == 0:
			m.writes = append(m.writes, simulatedWrite{at, n, 1 + rng.IntN(60)})
		default:
			m.writes = append(m.writes, simulatedWrite{at, n, 1})
		}
	}
}

// start makes a scheduler, as a start of the server does.
func (m *simulation) start() {
	m.scheduler = jobs.NewFlushScheduler(jobs.FlushOptions{
		Rules: m.rules, Counters: m.backlog, Marks: m.backlog, Now: func() time.Time { return m.now },
		Policy: func(n kalam.TableNumber) (jobs.FlushPolicy, bool) { return m.tables[n].policy, true },
		Submit: func(_ context.Context, n kalam.TableNumber, by jobs.Trigger) (kalam.JobID, error) {
			m.got[n] = append(m.got[n], simulatedFlush{m.now, by, m.backlog.flush(n, m.backlog.newest(n))})
			id := kalam.JobID(fmt.Sprint(len(m.ended)))
			m.ended = append(m.ended, kalam.Job{ID: id, Kind: kindFlush, Number: n, Status: kalam.JobCompleted})
			return id, nil
		},
	})
}

// step runs the scheduler until it has nothing to do now, and returns when it has.
func (m *simulation) step() time.Time {
	for {
		pause := m.scheduler.Step(m.t.Context())
		for _, j := range m.ended {
			m.scheduler.Ended(j)
		}
		if len(m.ended) == 0 && pause > 0 {
			return m.now.Add(pause)
		}
		m.ended = nil
	}
}

// run jumps from event to event until the month is over.
func (m *simulation) run() {
	m.start()
	end := simulationStart.Add(simulated)
	writes, gaps := m.writes, m.gaps
	for next := m.step(); ; next = m.step() {
		write, stop := end, end
		if len(writes) > 0 {
			write = writes[0].at
		}
		if len(gaps) > 0 {
			stop = gaps[0].from
		}
		switch {
		case !next.After(write) && next.Before(stop):
			m.now = next
		case stop.Before(end) && !stop.After(write):
			m.now = gaps[0].to
			gaps = gaps[1:]
			m.backlog.restart()
			m.start()
		case write.Before(end):
			m.now = write
			m.backlog.write(writes[0].table, writes[0].rows, m.now)
			writes = writes[1:]
		default:
			return
		}
	}
}

// TestThirtyDays runs the scheduler over 30 days of writes to tables with every kind
// of policy and a server that is down now and then, and compares every flush with
// the oracle: none is missed, none is doubled, none is at another time or of other
// rows. Which of two triggers of one moment is named does not matter.
func TestThirtyDays(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := newSimulation(t, rand.New(rand.NewPCG(seed, 1)))
	m.run()
	flushes := 0
	for n, st := range m.tables {
		got, want := m.got[n], m.oracle(kalam.TableNumber(n))
		flushes += len(got)
		if st.policy.Manual != (len(got) == 0) {
			t.Errorf("%s: %d flushes", st.name, len(got))
		}
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || !got[i].at.Equal(want[i].at) || got[i].rows != want[i].rows {
				t.Errorf("%s: flush %d of %d differs:\ngot  %s\nwant %s", st.name, i, len(want), nth(got, i),
					nth(want, i))
				break
			}
		}
	}
	t.Logf("%d flushes of %d tables in 30 days: 0 missed, 0 doubled", flushes, len(m.tables))
}

// nth shows a flush and those around it.
func nth(list []simulatedFlush, i int) string {
	var out []string
	for _, f := range list[max(0, min(i-1, len(list))):min(i+2, len(list))] {
		out = append(out, f.String())
	}
	return strings.Join(out, "; ")
}
