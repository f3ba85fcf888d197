package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

// Pauses of a FlushScheduler.
const (
	// firstPause is how long a table is left alone after a flush of it failed; it
	// doubles with every failure that follows, up to mostPause. A failed job was tried
	// several times already.
	firstPause = 10 * time.Second
	mostPause  = 5 * time.Minute
	// rowsPause is the least time between the starts of two flushes of a table by its
	// rows or bytes: a table that takes its limit many times a second gets larger files instead.
	rowsPause = time.Second
	// fullPause is the time between two looks at a full buffer.
	fullPause = time.Second
	// longestPause bounds how late a flush is after the wall clock was set forward.
	longestPause = time.Minute
)

// BacklogCounters are the counters of buffered row versions; package buffer keeps
// them. Reading one costs the same whatever is buffered.
type BacklogCounters interface {
	// TableStats returns the buffered versions of a table, their bytes, and the seq of
	// the oldest, 0 when there is none.
	TableStats(n kalam.TableNumber) (rows, bytes int64, oldest kalam.Seq)
	// BufferedTables returns the bytes of every table with buffered versions.
	BufferedTables() map[kalam.TableNumber]int64
	// BufferedBytes returns the bytes of all of them.
	BufferedBytes() int64
}

// BacklogMarks tell when a counter has grown. Nothing else is told of a commit.
type BacklogMarks interface {
	// Grown holds a token when a table reached its mark or got its first version, or
	// when all tables together reached theirs.
	Grown() <-chan struct{}
	// TakeGrown returns the tables that did so since the last call, at the first call
	// every table with buffered versions. They have no mark then.
	TakeGrown() []kalam.TableNumber
	// Mark sets the marks of a table in rows and in bytes, of which the first counts; 0 is
	// none. What is reached already is told.
	Mark(n kalam.TableNumber, rows, bytes int64)
	// MarkBytes sets the mark in bytes of all tables together in the same way.
	MarkBytes(bytes int64)
}

// FlushOptions are what a FlushScheduler works with.
type FlushOptions struct {
	Rules    FlushRules
	Counters BacklogCounters
	Marks    BacklogMarks
	// Policy returns what a table says now; false when there is no such table, or when
	// its rows are not flushed.
	Policy func(n kalam.TableNumber) (FlushPolicy, bool)
	// Submit submits the flush of a table, or finds the active one.
	Submit func(ctx context.Context, n kalam.TableNumber, by Trigger) (kalam.JobID, error)
	// Evict submits the removal of expired rows, if there are any. nil removes none.
	Evict func(ctx context.Context)
	// MaxBytes is the size of the write buffer: from three quarters of it on the largest
	// tables are flushed until half of it would be free. 0: it has no limit.
	MaxBytes int64
	Now      func() time.Time // nil is time.Now.
	Logger   *slog.Logger     // nil discards.
}

// FlushScheduler submits the flushes that nobody asked for. It keeps one small entry
// per table with a due time, in a heap, and sleeps until the first of them, or until
// the counters or the end of a job wake it. All times follow from the age of the
// oldest buffered row, which is on the disk, so a restart forgets nothing: what fell
// due meanwhile is flushed once.
type FlushScheduler struct {
	o    FlushOptions
	log  *slog.Logger
	news chan struct{} // Holds a token when there is something in ended or changed.

	mu      sync.Mutex // guards what follows
	ended   []kalam.Job
	changed []kalam.TableNumber

	// What follows belongs to the goroutine of Run.
	tables map[kalam.TableNumber]*scheduled
	queue  dueQueue
	full   bool // At the last look.
}

// NewFlushScheduler returns a scheduler that does nothing before Run.
func NewFlushScheduler(o FlushOptions) *FlushScheduler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Evict == nil {
		o.Evict = func(context.Context) {}
	}
	return &FlushScheduler{
		o: o, log: o.Logger, news: make(chan struct{}, 1), tables: map[kalam.TableNumber]*scheduled{},
	}
}

// Ended tells the scheduler of the end of a flush. It does not block and may be called from
// any goroutine, so that Options.Ended of the runner may do it.
func (s *FlushScheduler) Ended(j kalam.Job) {
	s.mu.Lock()
	s.ended = append(s.ended, j)
	s.mu.Unlock()
	s.tell()
}

// Changed tells the scheduler that the policy of a table is another. It does not
// block and may be called from any goroutine. A table that was created or dropped
// needs no word: it has no rows yet, or is found gone when it falls due.
func (s *FlushScheduler) Changed(n kalam.TableNumber) {
	s.mu.Lock()
	s.changed = append(s.changed, n)
	s.mu.Unlock()
	s.tell()
}

func (s *FlushScheduler) tell() {
	select {
	case s.news <- struct{}{}:
	default: // A second token would tell nothing new.
	}
}

// takeNews returns what was told since the last call.
func (s *FlushScheduler) takeNews() (ended []kalam.Job, changed []kalam.TableNumber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended, changed = s.ended, s.changed
	s.ended, s.changed = nil, nil
	return ended, changed
}

// look decides about a table anew.
func (s *FlushScheduler) look(n kalam.TableNumber, now time.Time) {
	t := s.tables[n]
	if t != nil && t.job != "" {
		return // It is decided when the flush has ended.
	}
	rows, bytes, oldest := s.o.Counters.TableStats(n)
	policy, ok := s.o.Policy(n)
	if rows == 0 || !ok {
		s.rest(t, now)
		return
	}
	if t == nil {
		t = &scheduled{number: n, place: unqueued}
		s.tables[n] = t
	}
	if t.oldest != oldest {
		// The seq of a row can be ahead of the clock; the row is not younger than now.
		if t.oldest, t.since = oldest, oldest.Time(); t.since.After(now) {
			t.since = now
		}
	}
	due := s.o.Rules.Due(policy, rows, bytes, t.since)
	s.o.Marks.Mark(n, due.AskAt, due.AskAtBytes)
	if due.At.IsZero() {
		s.rest(t, now)
		return
	}
	t.at, t.trigger = due.At, due.Trigger
	if (t.trigger == TriggerRows || t.trigger == TriggerBytes) && t.rowsAgain.After(t.at) {
		t.at = t.rowsAgain
	}
	if t.notBefore.After(t.at) {
		t.at = t.notBefore
	}
	s.queue.put(t)
}

// rest forgets a table that is not due at any time, as soon as nothing has to be
// remembered of its last flush. t may be nil.
func (s *FlushScheduler) rest(t *scheduled, now time.Time) {
	if t == nil {
		return
	}
	t.at = t.rowsAgain
	if t.notBefore.After(t.at) {
		t.at = t.notBefore
	}
	if t.at.After(now) {
		s.queue.put(t) // It is looked at again then.
		return
	}
	s.queue.remove(t)
	delete(s.tables, t.number)
}

// submit submits the flush of a table.
func (s *FlushScheduler) submit(ctx context.Context, t *scheduled, by Trigger, now time.Time) {
	_, _, t.submitted = s.o.Counters.TableStats(t.number)
	id, err := s.o.Submit(ctx, t.number, by)
	if err != nil {
		if kalam.CodeOf(err) != kalam.CodeShuttingDown && ctx.Err() == nil {
			s.log.Error("scheduled flush not submitted", "table", uint64(t.number), "trigger", string(by), "error", err)
		}
		s.fail(t, now)
		return
	}
	t.job, t.rowsAgain = id, now.Add(rowsPause)
	s.queue.remove(t)
}

// note takes in the end of a flush, whoever asked for it.
func (s *FlushScheduler) note(j *kalam.Job, now time.Time) {
	if t := s.tables[j.Number]; t != nil {
		_, _, oldest := s.o.Counters.TableStats(j.Number)
		moved := t.job != j.ID || oldest != t.submitted
		if t.job == j.ID {
			t.job = ""
		}
		switch {
		case j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped:
			s.fail(t, now)
		case moved:
			t.failures, t.idle, t.notBefore = 0, false, time.Time{}
		case t.idle: // Twice nothing became of it; a third time must wait.
			s.fail(t, now)
		default:
			t.idle = true
		}
	}
	s.look(j.Number, now)
}

// fail leaves a table alone for a while.
func (s *FlushScheduler) fail(t *scheduled, now time.Time) {
	pause := mostPause
	if t.failures < 5 {
		pause = firstPause << t.failures
	}
	t.failures++
	t.notBefore = now.Add(pause)
	if t.job == "" && t.place != unqueued {
		t.at = t.notBefore
		s.queue.put(t)
	}
}
