package pool

import (
	"log/slog"
	"time"
)

// Options configure a Pool.
type Options struct {
	// MemoryLimit is what all workers may hold together, as DuckDB writes it ("2GB"); ""
	// is half of the machine's memory, 4 GiB at most.
	MemoryLimit string
	Threads     int      // Of DuckDB, per statement; 0 is one per processor.
	LakeDirs    []string // Directories of the files that statements read and Copy writes.
	// MoreDirs returns further ones, which may change; nil: none. A worker is told of them when it
	// starts: after a change new ones take the place of the old.
	MoreDirs func() []string
	// TempDir is where workers spill what does not fit in memory and results wait for
	// slow readers; what is in it at the start is removed. "" is none: such a query
	// fails, and such a result waits in its worker.
	TempDir string
	// PostgreSQL lets / of integers give an integer, and NULLs come first in a descending
	// order, as there and in KalamDB; else they do as in DuckDB.
	PostgreSQL bool
	NextIDs    func(out []int64) error // Makes the values of SNOWFLAKE_ID(); nil refuses them.
	Logger     *slog.Logger

	// Places is the number of calls that run at a time within their slice, and again of
	// those beyond it; 0 is one more than there are processors.
	Places int
	Slice  time.Duration // 0 is 50 ms.
}

// Times and sizes that are not configured.
const (
	defaultSlice = 50 * time.Millisecond
	killAfter    = 250 * time.Millisecond // From the interrupt of a call to the end of its worker.
	startTimeout = 20 * time.Second       // Of a worker, on a machine that is busy.
	watchEvery   = 20 * time.Millisecond
	idleFor      = 10 * time.Second // After which all idle workers but one are ended.
	idleMemory   = 64 << 20         // A worker that holds more is not used again.
	addressRoom  = 64 << 20         // Beyond the share, before the kernel refuses memory.
	leastShare   = 64 << 20
	maxWaiting   = 5000 // Calls of one user that wait for a place.
	maxStanding  = 16   // Statements of all that stand still beyond their slice.
	maxKnown     = 64   // Statements that a worker keeps prepared.
	shareUsers   = 2    // A statement gets this part of the memory at most.
	// serverPart is which part of the memory is the server's own, for requests and the results that
	// wait for slow readers.
	serverPart = 8
	// countedPart is what DuckDB may use of that, in eighths, before it spills to disk: it does not
	// count all that it takes. With 8 and 7 a sort that spills was ended for its memory; with 6
	// one of long texts on two threads.
	countedPart = 5
	spillFactor = 4 // Disk for what does not fit in memory, by a worker's share.
)
