package buffer

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/backlog"
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
	Observer Observer         // nil is nobody.
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
	barred  map[kalam.UserID][]*scope // The scopes in memory of each, at BarUser.
	reading map[kalam.TableNumber]int // Views of open read points.

	backlog *backlog.Backlog
	counts  *counts
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

// Clock returns the clock of seqs.
func (s *Store) Clock() *kalam.SeqClock { return s.clock }

// Stats returns the counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	n := len(s.scopes)
	s.mu.Unlock()
	rows, bytes := s.backlog.Sum()
	return Stats{
		Commits: s.counters.commits.Load(), Groups: s.counters.groups.Load(), Rows: s.counters.rows.Load(),
		Queued: len(s.queue), Scopes: n, Buffered: rows, Bytes: bytes,
	}
}

func clockOp(ceiling kalam.Seq) Op {
	return Op{Keyspace: rowlog.KeyspaceMeta, Key: []byte(rowlog.ClockKey), Value: rowlog.EncodeClock(ceiling)}
}

// leadOver returns the ceiling to persist when last was handed out.
func leadOver(last kalam.Seq) kalam.Seq {
	return last + kalam.SeqAt(kalam.Seq(0).Time().Add(ceilingLead))
}

// dropped is the error of a table that DropTable removed. See goneErr for scopes.
func dropped(t *kalam.Table) error {
	return kalam.Errorf(kalam.CodeTableNotFound, "Table '%s' was dropped", t.ID)
}

// committer is what writes the log. Whoever has received it from Store.turn, or
// from Store.handed, uses it alone until it passes it on.
type committer struct {
	store *Store
	group []*request
	carry *request // Did not fit into the group before.

	ops     []Op
	first   kalam.Seq  // Lowest seq of the group, 0 when it has none.
	last    kalam.Seq  // Highest.
	reserve bool       // The clock's present value must be made durable.
	restore []Op       // Put back the records that the group replaces.
	counted []*counter // That the group moves.
	changes []kalam.Change
	synced  time.Duration // What the backend took for the group; 0 for a group without ops.

	// repair takes back what a failed batch may have left in the backend. Nothing
	// new is written before it, and the scopes it concerns stay in memory.
	repair   []Op
	retained []*scope
}

// work is what a request asks of the committer, which calls its methods in this
// order from one goroutine, that of this or of another request or its own.
type work interface {
	// stage checks the work against what is committed and staged, adds its
	// versions where only the committer sees them, and puts its ops into c. After
	// an error it must have changed nothing.
	stage(c *committer) error
	// rollback takes back stage when the batch was not written.
	rollback()
	// publish makes the staged work visible. Store.visibility is held.
	publish()
	// afterCommit does what follows, outside of every lock.
	afterCommit(c *committer)
	// touched returns the scopes whose memory is the truth while the backend may
	// hold something else after a failure.
	touched() []*scope
}

// request is work in the queue.
type request struct {
	work  work
	size  int64 // Bytes that it writes, at most.
	count int64 // What of them counts towards Limits.Bytes, at most.
	ops   int   // Ops, at most.
	alone bool  // It takes no company in its batch.

	state  atomic.Int32
	done   chan struct{} // Closed when err is final.
	err    error
	staged bool
}

// The states of a request.
const (
	stateQueued int32 = iota
	stateTaken
	stateWithdrawn
)

func shuttingDown() error {
	return kalam.Errorf(kalam.CodeShuttingDown, "the write buffer is closed")
}

const (
	// maxGroupBytes bounds what one group writes, unless a single request is
	// larger: everybody in it waits for all of it.
	maxGroupBytes = 8 << 20
	// Room left in a batch for the clock and an intent.
	spareOps   = 4
	spareBytes = 256
)

// errRecheck tells the writer that its lookups in the lake do not hold any more.
var errRecheck = errors.New("lake lookups are out of date")

// maxRechecks bounds how often a write looks up its keys in the lake again
// because a flush or compaction of its scope was committed meanwhile.
const maxRechecks = 100
