package memtable

import (
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
)

// A batch is closed at either bound: DuckDB's vector size, and the payload bytes
// from which more rows save nothing.
const (
	maxBatchRows  = 2048
	maxBatchBytes = 16 << 20
)

// Batch is a run of rows as Arrow. Live lists the rows that are visible, nil
// means all. Both are immutable and valid while the record is retained.
type Batch struct {
	Record arrow.RecordBatch
	Live   []uint32
	// ID is equal for the same record in several readings and never given to another;
	// 0 is a record that no other reading will have.
	ID uint64
}

// chunk is a cached batch over the versions [from, to): those that were visible
// rows at builtAt. A snapshot before builtAt must not use it, since it could
// miss rows that died in between.
type chunk struct {
	id       uint64 // Of the record in the cache, 0 outside of it.
	from, to int
	index    []int32 // Version of each row.
	record   arrow.RecordBatch
	builtAt  kalam.Seq
	full     bool // Closed by a bound of a batch: it is not merged.

	live     []uint32 // Rows that are alive after so many deaths; nil when not known.
	replaced int
}

func (k *chunk) release() {
	if k.record != nil {
		k.record.Release()
		k.record = nil
	}
}

// bytes estimates the memory of a chunk.
func (k *chunk) bytes() int64 {
	n := int64(len(k.index)) * 8 // With the list of those alive.
	if k.record == nil {
		return n
	}
	for _, col := range k.record.Columns() {
		n += int64(col.Data().SizeInBytes())
	}
	return n
}

// batchCache holds the chunks of a memtable in order, without gaps from 0.
// Small chunks at the end are merged when as many new rows arrive, so that a
// query after each insert rebuilds few rows, and every row O(log n) times.
type batchCache struct {
	mu     sync.Mutex // guards schema and chunks
	schema int        // SchemaVersion of the table that the chunks are built for.
	chunks []chunk
	size   atomic.Int64 // Estimated bytes of the records.

	dropped func(id uint64) // May be nil.
}

func (c *batchCache) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chunks = c.drop(c.chunks, 0)
}

// drop releases the chunks from index n on and returns the others.
func (c *batchCache) drop(chunks []chunk, n int) []chunk {
	for i := n; i < len(chunks); i++ {
		c.dropChunk(&chunks[i])
	}
	return chunks[:n]
}

// dropChunk releases a chunk of the cache.
func (c *batchCache) dropChunk(k *chunk) {
	c.size.Add(-k.bytes())
	k.release()
	if c.dropped != nil {
		c.dropped(k.id)
	}
}
