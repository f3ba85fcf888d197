package memtable

import (
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// Reading says which versions of a memtable a reader sees.
type Reading struct {
	Table     *kalam.Table
	Published *Published
	Seq       kalam.Seq
	Hidden    map[int32]struct{}      // Versions that a transaction's own writes replace.
	Retain    func(arrow.RecordBatch) // Takes a reference of every record that is handed out.
}

// Shows reports whether version i is the newest of its key.
func (r *Reading) Shows(i int32) bool {
	if !r.Published.At(int(i)).Alive(r.Seq) {
		return false
	}
	if r.Hidden == nil {
		return true
	}
	_, hidden := r.Hidden[i]
	return !hidden
}

// Batches returns the live rows that r shows, without tombstones.
func (m *Memtable) Batches(r *Reading) ([]Batch, error) {
	c := &m.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.chunks) == 0 || c.schema < r.Table.SchemaVersion {
		c.chunks = c.drop(c.chunks, 0)
		c.schema = r.Table.SchemaVersion
	}
	usable := 0
	for usable < len(c.chunks) && c.schema == r.Table.SchemaVersion && c.chunks[usable].builtAt <= r.Seq &&
		c.chunks[usable].to <= r.Published.Len() {
		usable++
	}
	if usable < len(c.chunks) { // An older snapshot or definition: what newer ones built it builds for itself.
		from := 0
		if usable > 0 {
			from = c.chunks[usable-1].to
		}
		own, err := buildChunks(r, from, r.Published.Len())
		if err != nil {
			return nil, err
		}
		shared := handOut(c.chunks[:usable], r, false)
		return append(shared, handOut(own, r, true)...), nil
	}
	if err := c.extend(r); err != nil {
		return nil, err
	}
	if err := c.refresh(r); err != nil {
		return nil, err
	}
	return handOut(c.chunks, r, false), nil
}

// extend covers the versions that no chunk covers yet.
func (c *batchCache) extend(r *Reading) error {
	from := 0
	if n := len(c.chunks); n > 0 {
		from = c.chunks[n-1].to
	}
	if from == r.Published.Len() {
		return nil
	}
	keep := len(c.chunks)
	for pending := r.Published.Len() - from; keep > 0; keep-- {
		last := &c.chunks[keep-1]
		if last.full || len(last.index) > 2*pending {
			break
		}
		from = last.from
		pending += len(last.index)
	}
	built, err := buildChunks(r, from, r.Published.Len())
	if err != nil {
		return err
	}
	c.chunks = append(c.drop(c.chunks, keep), c.count(built)...)
	return nil
}

// lastChunk is the newest id of a chunk in this process.
var lastChunk atomic.Uint64

// count adds chunks that are to be cached to the cache's size.
func (c *batchCache) count(chunks []chunk) []chunk {
	for i := range chunks {
		chunks[i].id = lastChunk.Add(1)
		c.size.Add(chunks[i].bytes())
	}
	return chunks
}

// refresh rebuilds chunks of which more than half is dead.
func (c *batchCache) refresh(r *Reading) error {
	for i := 0; i < len(c.chunks); i++ {
		k := &c.chunks[i]
		if k.record == nil || len(k.alive(r))*2 >= len(k.index) {
			continue
		}
		built, err := buildChunks(r, k.from, k.to)
		if err != nil {
			return err
		}
		c.dropChunk(k)
		c.chunks = slices.Replace(c.chunks, i, i+1, c.count(built)...)
		i += len(built) - 1
	}
	return nil
}

// alive lists the rows of the chunk that are the newest of their key, and keeps
// the list until another version is replaced.
func (k *chunk) alive(r *Reading) []uint32 {
	if k.live == nil || k.replaced != r.Published.replaced {
		k.live, k.replaced = liveRows(k, r, nil), r.Published.replaced
	}
	return k.live
}

// buildChunks builds the visible rows of versions[from:to], what a transaction
// hides included.
func buildChunks(r *Reading, from, to int) ([]chunk, error) {
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, r.Table)
	defer b.Release()
	var out []chunk
	cur := chunk{from: from, builtAt: r.Seq}
	seal := func(end int, full bool) {
		cur.to, cur.full = end, full
		if b.Len() > 0 {
			cur.record = b.NewBatch()
		}
		out = append(out, cur)
		cur = chunk{from: end, builtAt: r.Seq}
	}
	for i := from; i < to; i++ {
		v := r.Published.At(i)
		if v.Tombstone || !v.Alive(r.Seq) {
			continue
		}
		if err := b.Append(v.Row()); err != nil {
			for i := range out {
				out[i].release()
			}
			return nil, err
		}
		cur.index = append(cur.index, int32(i))
		if b.Len() == maxBatchRows || b.Bytes() >= maxBatchBytes {
			seal(i+1, true)
		}
	}
	if cur.from < to {
		seal(to, false)
	}
	return out, nil
}

// handOut turns chunks into batches. With owned the records' reference passes to
// r.Retain.
func handOut(chunks []chunk, r *Reading, owned bool) []Batch {
	out := make([]Batch, 0, len(chunks))
	for i := range chunks {
		k := &chunks[i]
		if k.record == nil {
			continue
		}
		live := k.alive(r)
		if len(r.Hidden) > 0 {
			live = liveRows(k, r, r.Hidden)
		}
		if len(live) == 0 {
			if owned {
				k.release()
			}
			continue
		}
		if !owned {
			k.record.Retain()
		}
		r.Retain(k.record)
		if len(live) == len(k.index) {
			live = nil // All of them.
		}
		out = append(out, Batch{Record: k.record, Live: live, ID: k.id})
	}
	return out
}

// liveRows lists the rows of a chunk that are the newest of their key and not
// hidden; it is not nil.
func liveRows(k *chunk, r *Reading, hidden map[int32]struct{}) []uint32 {
	live := make([]uint32, 0, len(k.index))
	for i, v := range k.index {
		if _, not := hidden[v]; !not && r.Published.At(int(v)).Alive(r.Seq) {
			live = append(live, uint32(i))
		}
	}
	return live
}

// Versions builds the newest version of every key, tombstones included, without
// the cache.
func (r *Reading) Versions() ([]Batch, error) {
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, r.Table)
	defer b.Release()
	var out []Batch
	seal := func() {
		record := b.NewBatch()
		r.Retain(record)
		out = append(out, Batch{Record: record})
	}
	for i := range r.Published.Len() {
		v := r.Published.At(i)
		if !r.Shows(int32(i)) {
			continue
		}
		if err := b.Append(v.Row()); err != nil {
			return nil, err
		}
		if b.Len() == maxBatchRows || b.Bytes() >= maxBatchBytes {
			seal()
		}
	}
	if b.Len() > 0 {
		seal()
	}
	return out, nil
}
