package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Times of reading the manifests of record.
const (
	lakeEvery = 5 * time.Second        // At most so often,
	lakeShare = 100                    // and at most this part of the time.
	lakeWait  = 500 * time.Millisecond // How long a scrape waits for it.
)

// lakeSum is what the segments of a table add up to.
type lakeSum struct{ segments, rows, bytes int64 }

// lakeSums adds up the segments of each table. It is safe for concurrent use.
type lakeSums struct {
	records buffer.Reader
	now     func() time.Time
	ctx     context.Context // Of the readings; ended by close.
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	closed  bool
	sums    map[kalam.TableNumber]lakeSum // As last read; nil before. It is not changed.
	next    time.Time                     // From when on they are read again.
	reading chan struct{}                 // Closed when the reading under way has ended; nil when there is none.
}

func newLakeSums(records buffer.Reader, now func() time.Time) *lakeSums {
	l := &lakeSums{records: records, now: now}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// get returns the sums by table, nil when they are not known yet. They are as new as can be had within lakeWait.
func (l *lakeSums) get() map[kalam.TableNumber]lakeSum {
	l.mu.Lock()
	if l.reading == nil && !l.closed && !l.now().Before(l.next) {
		l.reading = make(chan struct{})
		l.work.Add(1)
		go l.read(l.reading)
	}
	reading := l.reading
	l.mu.Unlock()
	if reading != nil {
		wait := time.NewTimer(lakeWait)
		defer wait.Stop()
		select {
		case <-reading:
		case <-wait.C:
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sums
}

// read reads all manifests of record. Those that cannot be read are left out: the scrub and the log tell of them.
func (l *lakeSums) read(done chan struct{}) {
	defer l.work.Done()
	began := l.now()
	sums := map[kalam.TableNumber]lakeSum{}
	for r, err := range buffer.ScopeRecords(l.ctx, l.records) {
		if err != nil {
			continue
		}
		s := sums[r.Scope.Table]
		for i := range r.Record.Segments {
			seg := &r.Record.Segments[i]
			s.segments, s.rows, s.bytes = s.segments+1, s.rows+seg.Rows, s.bytes+seg.Bytes
		}
		sums[r.Scope.Table] = s
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.sums = sums
	}
	now := l.now()
	l.next = now.Add(max(lakeEvery, lakeShare*now.Sub(began)))
	l.reading = nil
	close(done)
}

// close ends the reading under way and waits for it.
func (l *lakeSums) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
}
