package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/turns"
	"github.com/kalamlake/kalam/query/wire"
)

// Pool is the executor. Safe for concurrent use.
type Pool struct {
	options  Options
	memory   int64 // Of all workers.
	share    int64 // Of one.
	starter  *process.Starter
	fast     *turns.Queue // Places of calls within their slice.
	slow     *turns.Queue // Places of those beyond it.
	batches  *batchStore
	schemas  encodedSchemas
	spools   spoolBudget
	sandbox  string       // What holds for the first worker.
	copyIdle *time.Timer  // Ends the worker that writes files when there are none.
	copying  chan *worker // Holds the worker that writes files, nil for none, while nobody uses it.

	closing  chan struct{}
	working  chan struct{}  // Tells watch that there is something to watch; capacity 1.
	running  sync.WaitGroup // The watch.
	count    counters
	lastOnce atomic.Uint64

	mu       sync.Mutex // guards what follows
	closed   bool
	last     int       // Number of the last worker.
	idle     []*worker // The most recently used last.
	busy     map[*worker]*call
	workers  map[*worker]struct{} // All that run, but the one that writes files.
	spare    bool                 // One is being started.
	standing int                  // Calls that stand still.
	ending   int                  // Workers that are being ended.
	settled  *sync.Cond           // busy, spare or ending became less.
}

// counters are the numbers behind Stats.
type counters struct {
	started, killed, died, prepared, hits, misses atomic.Int64
}

// call is one call of a worker.
type call struct {
	pool   *Pool
	w      *worker
	ctx    context.Context
	user   kalam.UserID
	seen   *activity.Query // That the call is part of, nil for none.
	began  time.Time
	number uint32
	stop   func() bool // Ends the watch of ctx.

	mu       sync.Mutex // guards what follows
	leave    func()     // Gives the place back; nil while the call stands still.
	slow     bool       // It has outlived its slice.
	standing bool       // It stands still until there is a slow place.
	resume   func()     // Ends the wait for it; nil when there was none.
	reason   error      // Why the worker was killed.
	timer    *time.Timer
	over     bool
}

// worker is a worker process. One call uses it at a time.
type worker struct {
	pool     *Pool
	kind     kind
	proc     *process.Process
	dir      string   // Its temporary directory; "" is none.
	more     []string // Directories beside Options.LakeDirs whose files DuckDB may read there.
	state    string   // What sandbox holds for it.
	said     *tail
	since    time.Time // When it became idle.
	lastCall uint32
	memory   atomic.Int64 // Bytes, when last looked at.
	report   atomic.Pointer[wire.Report]

	mu       sync.Mutex // guards what follows
	prepared *simplelru.LRU[uint64, struct{}]
	has      *simplelru.LRU[uint64, int64] // Batches that it keeps, with their bytes.
	bytes    int64
	busy     bool     // A call uses it.
	dropped  []uint64 // To be dropped after that.
}

// kind is what a worker is for.
type kind int

const (
	serial   kind = iota // Statements that one thread computes: to wake others costs small ones a third of their time.
	parallel             // Statements of many rows, which all threads compute.
	copies               // Writing files.
)

// demand is what a call wants of its worker.
type demand struct {
	statement uint64 // That it had better have prepared; 0 is none.
	parallel  bool
}

// tail keeps the end of what a worker prints. Safe for concurrent use.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// tailBytes is what is kept.
const tailBytes = 2 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// interrupt asks the worker to end the call, and ends the worker if it does not. The
// call's error is then that of its context.
func (c *call) interrupt() { c.end(nil) }

// kill ends the worker; reason becomes the error of the call.
func (c *call) kill(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.reason != nil {
		return
	}
	c.reason = reason
	c.w.kill()
}

// isSlow reports whether the call has outlived its slice.
func (c *call) isSlow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slow
}

// end is interrupt for a call that ends for the reason of cause, nil for its context.
func (c *call) end(cause error) {
	c.mu.Lock()
	if c.over || c.timer != nil {
		c.mu.Unlock()
		return
	}
	if cause == nil {
		cause = query.Canceled(c.ctx)
	}
	c.timer = time.AfterFunc(killAfter, func() { c.kill(cause) })
	c.mu.Unlock()
	// An error shows when the answer is read.
	_ = c.w.proc.Conn().Write(process.Frame{Kind: wire.Cancel, Call: c.number})
}

// kill ends the process; it does not wait for that.
func (w *worker) kill() { go w.proc.Kill() }
