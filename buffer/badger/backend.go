package badger

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

const (
	// collectEvery is the interval at which large values are moved together.
	collectEvery = 5 * time.Minute
	// collectBytes are moved in one transaction, which writers wait for.
	collectBytes = 4 << 20
	// sizeEvery is the interval at which the size of the directory is logged.
	sizeEvery = 10 * time.Minute
)

// Options tune a Backend. The zero value is the default.
type Options struct {
	Logger *slog.Logger // nil discards.
	// Relaxed returns from Apply before the sync, which follows within 100 ms.
	Relaxed bool
	// MemtableBytes is the memory of a memtable, of which there are up to three; 0
	// is 16 MiB, or less on a disk of less than 512 MiB. It is also what a start after
	// a crash reads back.
	MemtableBytes int64
	// ReserveBytes of the disk stay free of bulk data, so that Badger's own writing
	// has room, and what gives back space can be written. 0 is what Badger's next
	// tables need, see Backend.Room; negative is none.
	ReserveBytes int64
}

const (
	defaultMemtable = 16 << 20
	// largeValue is the length from which a value goes to a file of its own kind.
	largeValue  = 32 << 10
	maxValue    = 64 << 20
	relaxedSync = 100 * time.Millisecond
	folderMode  = 0o700
)

// Backend is a Badger directory. It is safe for concurrent use.
type Backend struct {
	dir    string
	opts   Options
	log    *slog.Logger
	db     *badger.DB
	lock   *dirLock
	limits buffer.Limits
	large  largeValues
	logs   *logSync    // Guarded by writing.
	space  space       // Likewise.
	room   *room       // Likewise.
	failed atomic.Bool // A sync failed; nothing more is written.

	left bool // Badger could not be closed.

	compaction compaction
	removed    atomic.Int64 // Keys since the last reclaim.
	reclaimed  time.Time    // When that was; of collectLoop.
	flattening atomic.Int32 // Compactions of a reclaim.
	compacting sync.Mutex   // Held while Badger compacts on our behalf, which it does once at a time.
	purges     purges
	quit       chan struct{}
	work       sync.WaitGroup // The goroutines of collecting and of the relaxed sync.
	writing    sync.Mutex     // Serialises batches; held until they are durable.

	keyspaces keyspaces
	onDrop    func() // Set by tests: a keyspace's record is gone, its keys are not.

	mu     sync.Mutex // guards what follows
	closed bool
	active int           // Operations in Badger.
	idle   chan struct{} // Closed by the last of them after Close.
}

var _ buffer.Backend = (*Backend)(nil)

// storedOp is an op with the key as Badger has it.
type storedOp struct {
	key    []byte
	value  []byte
	remove bool
	bulk   bool
}

// enter keeps Badger open until leave: a closed one panics.
func (b *Backend) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return kalam.Errorf(kalam.CodeShuttingDown, "the write buffer is closed")
	}
	b.active++
	return nil
}

func (b *Backend) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	if b.closed && b.active == 0 {
		close(b.idle)
	}
}

// diskSize returns the bytes of the directory's files, sparse ones at what they
// hold at most.
func (b *Backend) diskSize() int64 {
	var total int64
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := os.Lstat(filepath.Join(b.dir, e.Name())); err == nil {
			total += info.Size()
		}
	}
	return total
}
