package worker

// #include "scan.h"
import "C"

import (
	"container/list"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam/query"
)

// chunkCacheBytes bounds the batches that the chunk cache keeps alive.
const chunkCacheBytes = 64 << 20

// maxSeen bounds the memory of which batches were read once, and of which are gone.
const maxSeen = 4096

// What a batch takes beside its buffers: a piece that DuckDB reads, and of each piece
// a column, with what Arrow keeps of them in Go.
const (
	pieceBytes  = 1 << 10
	columnBytes = 1 << 10
)

// chunkCache keeps the chunks of batches that have an id, so that a hot scope is
// not converted for every query. A batch is kept from its second use on: the last
// one of a scope that is written to is soon replaced.
type chunkCache struct {
	mu      sync.Mutex // guards what follows
	entries map[uint64]*list.Element
	lru     list.List // of *chunkEntry, the most recently used first
	bytes   int64
	seen    map[uint64]struct{} // Batches that were read once.
	gone    map[uint64]struct{} // Batches that were forgotten, which a query may still read.
	hits    int64
	misses  int64
	eager   bool // Batches are kept from their first use on.
}

// chunkEntry holds a reference to the batch and one to each of its chunks.
type chunkEntry struct {
	id     uint64
	rec    arrow.RecordBatch
	schema uint64
	pieces []*C.kalam_chunk
	bytes  int64
}

func newChunkCache() *chunkCache {
	return &chunkCache{entries: map[uint64]*list.Element{}, seen: map[uint64]struct{}{}, gone: map[uint64]struct{}{}}
}

// chunksOf returns the chunks of b, one per maxChunkRows rows. The caller
// releases each.
func (cc *chunkCache) chunksOf(c *conn, s *schema, b *query.Batch) ([]*C.kalam_chunk, error) {
	pieces, keep := cc.lookup(s, b.ID)
	if pieces != nil {
		return pieces, nil
	}
	rec := b.Record
	n := int(rec.NumRows())
	for from := 0; from < n; from += maxChunkRows {
		chunk, err := newPiece(c, s, rec, from, min(n, from+maxChunkRows))
		if err != nil {
			releaseChunks(pieces)
			return nil, err
		}
		pieces = append(pieces, chunk)
	}
	if keep {
		cc.add(s, b, pieces)
	}
	return pieces, nil
}

// newPiece converts the rows [from, to) of rec.
func newPiece(c *conn, s *schema, rec arrow.RecordBatch, from, to int) (*C.kalam_chunk, error) {
	if from == 0 && to == int(rec.NumRows()) {
		return newChunk(c, s, rec)
	}
	part := rec.NewSlice(int64(from), int64(to))
	defer part.Release()
	return newChunk(c, s, part)
}

func releaseChunks(pieces []*C.kalam_chunk) {
	for _, p := range pieces {
		C.kalam_chunk_release(p)
	}
}

// lookup returns retained chunks of a batch, or nil and whether to add them.
func (cc *chunkCache) lookup(s *schema, id uint64) (pieces []*C.kalam_chunk, keep bool) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if el, ok := cc.entries[id]; ok {
		e := el.Value.(*chunkEntry)
		if e.schema == s.id {
			cc.hits++
			cc.lru.MoveToFront(el)
			return retainChunks(e.pieces), false
		}
		cc.removeLocked(el)
	}
	cc.misses++
	if id == 0 {
		return nil, false
	}
	if cc.eager {
		return nil, true
	}
	if _, again := cc.seen[id]; again {
		delete(cc.seen, id)
		return nil, true
	}
	note(cc.seen, id)
	return nil, false
}

// note adds id to a bounded set. What the set forgets costs a little time or memory,
// no more.
func note(set map[uint64]struct{}, id uint64) {
	if len(set) >= maxSeen {
		clear(set)
	}
	set[id] = struct{}{}
}

// forget lets go of what is kept of a batch that is not given again.
func (cc *chunkCache) forget(id uint64) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if el, ok := cc.entries[id]; ok {
		cc.removeLocked(el)
	}
	delete(cc.seen, id)
	if !cc.eager { // Then whoever forgets may give the batch again.
		note(cc.gone, id)
	}
}

func retainChunks(pieces []*C.kalam_chunk) []*C.kalam_chunk {
	for _, p := range pieces {
		C.kalam_chunk_retain(p)
	}
	return append([]*C.kalam_chunk(nil), pieces...)
}

func (cc *chunkCache) add(s *schema, b *query.Batch, pieces []*C.kalam_chunk) {
	size := sizeOf(b.Record) + int64(len(pieces))*(pieceBytes+columnBytes*b.Record.NumCols())
	if size > chunkCacheBytes/4 || len(pieces) == 0 {
		return
	}
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if _, ok := cc.entries[b.ID]; ok { // Another query was faster.
		return
	}
	if _, ok := cc.gone[b.ID]; ok {
		return
	}
	b.Record.Retain()
	e := &chunkEntry{id: b.ID, rec: b.Record, schema: s.id, pieces: retainChunks(pieces), bytes: size}
	cc.entries[b.ID] = cc.lru.PushFront(e)
	cc.bytes += size
	for cc.bytes > chunkCacheBytes {
		cc.removeLocked(cc.lru.Back())
	}
}

func (cc *chunkCache) removeLocked(el *list.Element) {
	e := cc.lru.Remove(el).(*chunkEntry)
	delete(cc.entries, e.id)
	cc.bytes -= e.bytes
	releaseChunks(e.pieces)
	e.rec.Release()
}

// stats returns the counters and the bytes that are kept.
func (cc *chunkCache) stats() (hits, misses, bytes int64) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	return cc.hits, cc.misses, cc.bytes
}

// clear lets go of every batch and returns how many there were.
func (cc *chunkCache) clear() int {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	n := cc.lru.Len()
	for el := cc.lru.Back(); el != nil; el = cc.lru.Back() {
		cc.removeLocked(el)
	}
	clear(cc.seen)
	return n
}

// sizeOf estimates the bytes that a cached batch keeps alive: its buffers, and
// the string headers that DuckDB makes.
func sizeOf(rec arrow.RecordBatch) int64 {
	var n int64
	for _, col := range rec.Columns() {
		for _, b := range col.Data().Buffers() {
			if b != nil {
				n += int64(b.Cap())
			}
		}
		n += 16 * rec.NumRows()
	}
	return n
}

// liveChunks and liveSources count what the functions in C keep alive in this
// process, for tests.
func liveChunks() int64  { return int64(C.kalam_live_chunks()) }
func liveSources() int64 { return int64(C.kalam_live_sources()) }
