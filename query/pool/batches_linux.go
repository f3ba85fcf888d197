package pool

import (
	"fmt"
	"os"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/shm"
	"github.com/kalamlake/kalam/query/wire"
)

const (
	// inlineBytes is the size of a batch from which on it travels in shared memory.
	inlineBytes = 32 << 10
	// sharedBytes and sharedFiles bound what is kept to be shared.
	sharedBytes = 256 << 20
	sharedFiles = 500
	// workerBytes bounds what a worker keeps of batches, beside those of one statement.
	workerBytes = 64 << 20
	// maxGone bounds the memory of which batches are gone.
	maxGone = 8192
	// onceFrom is where the numbers of batches begin that are loaded for one call.
	onceFrom = 1 << 63
)

// batchStore keeps batches in shared memory, so that each is written once for all
// workers.
type batchStore struct {
	mu   sync.Mutex // guards what follows
	lru  *simplelru.LRU[uint64, *sharedBatch]
	size int64
	gone map[uint64]struct{} // Batches that were forgotten, which a statement may still read.
}

// sharedBatch is a batch in shared memory. Its memory is free when the last worker has
// let go of it, too.
type sharedBatch struct {
	file  *os.File
	bytes int64
	users int  // Calls that send it at the moment.
	out   bool // It is no longer kept.
}

func newBatchStore() *batchStore {
	s := &batchStore{gone: map[uint64]struct{}{}}
	s.lru, _ = simplelru.NewLRU(sharedFiles, func(_ uint64, b *sharedBatch) { s.removed(b) }) // The size is a constant.
	return s
}

// removed closes a batch that is no longer kept. s.mu is held.
func (s *batchStore) removed(b *sharedBatch) {
	s.size -= b.bytes
	b.out = true
	b.closeUnused()
}

func (b *sharedBatch) closeUnused() {
	if b.out && b.users == 0 {
		_ = b.file.Close() // It is memory.
	}
}

// get returns a batch in shared memory, which the caller releases.
func (s *batchStore) get(id uint64, rec arrow.RecordBatch) (*sharedBatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.lru.Get(id); ok {
		b.users++
		return b, nil
	}
	f, err := shm.Write(rec)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("share a batch: %w", err)
	}
	b := &sharedBatch{file: f, bytes: info.Size(), users: 1}
	if _, b.out = s.gone[id]; b.out { // It was forgotten just now.
		return b, nil
	}
	s.size += b.bytes
	s.lru.Add(id, b)
	for s.size > sharedBytes && s.lru.Len() > 1 {
		s.lru.RemoveOldest()
	}
	return b, nil
}

// release ends one use of b.
func (s *batchStore) release(b *sharedBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.users--
	b.closeUnused()
}

// forget lets go of a batch for good.
func (s *batchStore) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Remove(id)
	if len(s.gone) >= maxGone { // What the set forgets costs a little memory.
		clear(s.gone)
	}
	s.gone[id] = struct{}{}
}

// lasts reports whether a batch may be kept.
func (s *batchStore) lasts(id uint64) bool {
	if id == 0 || id >= onceFrom {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, gone := s.gone[id]
	return !gone
}

func (s *batchStore) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lru.Purge()
}

func (s *batchStore) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// bytesOf estimates the bytes of a batch.
func bytesOf(rec arrow.RecordBatch) (n int64) {
	for _, col := range rec.Columns() {
		n += int64(col.Data().SizeInBytes())
	}
	return n
}

// encodedSchemas keeps the encoded form of schemas.
type encodedSchemas struct {
	mu   sync.Mutex // guards byID
	byID map[uint64][]byte
}

// maxSchemas bounds the schemas that are kept encoded.
const maxSchemas = 2000

// Encoded implements wire.Schemas.
func (e *encodedSchemas) Encoded(s *query.Schema) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.byID[s.ID]; ok {
		return p, nil
	}
	p, err := wire.EncodeSchema(s.Arrow)
	if err != nil {
		return nil, err
	}
	if e.byID == nil || len(e.byID) >= maxSchemas {
		e.byID = map[uint64][]byte{}
	}
	e.byID[s.ID] = p
	return p, nil
}

// Decoded implements wire.Schemas; no worker names schemas.
func (e *encodedSchemas) Decoded(uint64, []byte) (*query.Schema, error) {
	return nil, fmt.Errorf("a query worker named a schema")
}
