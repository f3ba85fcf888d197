package buffer

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// SegmentReader reads segments for the Store; package lake implements it.
type SegmentReader interface {
	// Find returns the row position of each key in the segment, -1 where the key
	// is absent. It is exact.
	Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]int64, error)
	// ReadRows returns the rows at the positions, in their order.
	ReadRows(ctx context.Context, t *kalam.Table, seg *kalam.Segment, rows []int64) ([]kalam.Row, error)
}

// Options configure Open.
type Options struct {
	Segments SegmentReader
	// Publish receives committed changes in commit order, after they are durable
	// and visible and before their writers are acknowledged. It must not block.
	Publish func([]kalam.Change)
	// Interested limits the changes that are built; nil is every scope.
	Interested func(kalam.Scope) bool
	// Dropped is told the id of a Batch that no further view will have, so that what
	// was made of it can go. It must not block, nor call the store. nil is nobody.
	Dropped  func(id uint64)
	Worker   int              // Worker number in seqs.
	Now      func() time.Time // nil is time.Now.
	HotBytes int64            // Memory of scopes that nobody uses, the last used one left out; 0 is 256 MiB.
	MaxBytes int64            // Of buffered rows, from which writes wait and then fail; 0 is no limit.
	Logger   *slog.Logger     // nil discards.
}

const (
	defaultHotBytes = 256 << 20
	// ceilingLead is how far the persisted clock ceiling runs ahead, so that ids
	// drawn without a commit need not persist one each. After a crash seqs run
	// ahead of the wall clock by at most this much.
	ceilingLead = time.Second
	// queueLength bounds the requests that wait for the committer; more callers
	// wait for a place.
	queueLength = 4096
	// fullWait is how long a write waits for room in a full buffer.
	fullWait = 5 * time.Second
)

// Store keeps the buffered rows of all scopes. It is safe for concurrent use.
type Store struct {
	backend  Backend
	limits   Limits
	opts     Options
	log      *slog.Logger
	clock    *kalam.SeqClock
	ceiling  atomic.Uint64 // Persisted: no later start hands out a seq at or below it.
	queue    chan *request
	turn     chan *committer // Holds it while nobody commits.
	handed   chan *committer // To commitLoop.
	quit     chan struct{}
	ended    chan struct{}
	closing  sync.Once
	counters counters

	// visibility guards the visible prefix of every memtable and the lake state
	// of every scope: readers capture several scopes under one read lock, the
	// committer publishes a group under the write lock.
	visibility sync.RWMutex
	visible    kalam.Seq
	edition    edition             // How many groups were published.
	changed    map[*scope]struct{} // Scopes with past states, which are pinned; guarded by visibility.
	points     openPoints

	// obsoleteMu guards scope.old, lakeState.waiting and obsoleteFiles.left. It is
	// taken last.
	obsoleteMu sync.Mutex

	mu      sync.Mutex // guards what follows
	scopes  map[kalam.Scope]*scope
	lru     *list.List // Unpinned scopes, most recently used first.
	hot     int64      // Bytes of the scopes in lru.
	dropped map[kalam.TableNumber]struct{}
	reading map[kalam.TableNumber]int // Views of open read points.

	stats  *bufferedStats
	counts *counts
}

type counters struct {
	commits, groups, rows atomic.Int64
}

// Stats are counters of a Store.
type Stats struct {
	Commits  int64 // Requests committed.
	Groups   int64 // Batches written: fsyncs.
	Rows     int64 // Versions committed.
	Queued   int   // Requests that wait for the committer.
	Scopes   int   // Scopes in memory.
	Buffered int64 // Versions in the log above the watermarks.
	Bytes    int64 // Their keys and payloads.
}

// Open starts a Store on a backend, which stays the caller's and must outlive
// it. It discards what an interrupted commit left behind.
func Open(ctx context.Context, b Backend, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HotBytes == 0 {
		o.HotBytes = defaultHotBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		backend: b, limits: b.MaxBatch(), opts: o, log: o.Logger,
		queue: make(chan *request, queueLength), turn: make(chan *committer, 1), handed: make(chan *committer, 1),
		quit: make(chan struct{}), ended: make(chan struct{}),
		scopes: map[kalam.Scope]*scope{}, lru: list.New(), dropped: map[kalam.TableNumber]struct{}{},
		reading: map[kalam.TableNumber]int{}, changed: map[*scope]struct{}{},
		stats: newBufferedStats(), counts: newCounts(),
	}
	if err := s.checkLimits(); err != nil {
		return nil, err
	}
	if err := createKeyspaces(ctx, b); err != nil {
		return nil, err
	}
	last, err := s.readLog(ctx)
	if err != nil {
		return nil, err
	}
	ceiling, err := s.readCeiling(ctx)
	if err != nil {
		return nil, err
	}
	last = max(last, ceiling)
	s.clock = kalam.NewSeqClock(o.Worker, last, o.Now)
	s.ceiling.Store(uint64(ceiling))
	s.visible = last
	s.turn <- &committer{store: s}
	go s.commitLoop()
	return s, nil
}

// createKeyspaces creates the keyspaces that are not there yet.
func createKeyspaces(ctx context.Context, b Backend) error {
	for _, name := range rowlog.Keyspaces() {
		if err := b.CreateKeyspace(ctx, name); err != nil && !errors.Is(err, ErrKeyspaceExists) {
			return fmt.Errorf("create keyspace %s: %w", name, err)
		}
	}
	return nil
}

// checkLimits makes sure that every block can be written, and works out the
// longest one.
func (s *Store) checkLimits() error {
	l := s.limits
	if l.Large <= 0 || l.Large > rowlog.MaxBlockBytes {
		l.Value = min(l.Value, l.Bytes-spareBytes-rowlog.MaxKey)
	}
	if l.Value < 2*rowlog.MaxBlockBytes || l.Bytes < 4*spareBytes || l.Ops < 2*spareOps {
		return kalam.Errorf(kalam.CodeInvalidInput, "the backend's batches are too small: %+v", s.limits)
	}
	s.limits.Value = l.Value
	return nil
}

// readCeiling returns the seq up to which seqs may have been given out.
func (s *Store) readCeiling(ctx context.Context) (kalam.Seq, error) {
	raw, err := s.backend.Get(ctx, rowlog.KeyspaceMeta, []byte(rowlog.ClockKey))
	if errors.Is(err, ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read clock: %w", err)
	}
	return rowlog.DecodeClock(raw)
}

func clockOp(ceiling kalam.Seq) Op {
	return Op{Keyspace: rowlog.KeyspaceMeta, Key: []byte(rowlog.ClockKey), Value: rowlog.EncodeClock(ceiling)}
}

// Close commits what is queued, makes the exact clock durable and ends the
// Store. Read points must be released before.
//
//nolint:contextcheck // A close is waited for.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.quit)
		<-s.ended
		err = s.backend.Apply(context.Background(), []Op{clockOp(s.clock.Last())})
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sc := range s.scopes {
			if sc.loaded.Load() {
				sc.mem.Release()
			}
		}
		clear(s.scopes)
	})
	return err
}

// Clock returns the clock of seqs.
func (s *Store) Clock() *kalam.SeqClock { return s.clock }

// NextID returns a value of the clock for SNOWFLAKE_ID(): like a seq, it is
// never handed out again, also not after a crash.
//
//nolint:contextcheck // What it waits for at times is a reservation for all callers, not for one statement.
func (s *Store) NextID() (kalam.Seq, error) {
	id := s.clock.Next()
	if uint64(id) <= s.ceiling.Load() {
		return id, nil
	}
	return id, s.submit(context.Background(), &request{work: reservation{}})
}

// leadOver returns the ceiling to persist when last was handed out.
func leadOver(last kalam.Seq) kalam.Seq {
	return last + kalam.SeqAt(kalam.Seq(0).Time().Add(ceilingLead))
}

// Stats returns the counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	n := len(s.scopes)
	s.mu.Unlock()
	rows, bytes := s.stats.sum()
	return Stats{
		Commits: s.counters.commits.Load(), Groups: s.counters.groups.Load(), Rows: s.counters.rows.Load(),
		Queued: len(s.queue), Scopes: n, Buffered: rows, Bytes: bytes,
	}
}
