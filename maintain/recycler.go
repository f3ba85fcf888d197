package maintain

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// recycler is an Arrow allocator that gives memory out again once it was freed. A
// flush makes hundreds of batches of which a few are in use at a time: with it
// they take turns in memory that the CPU has at hand, instead of each taking new
// pages and leaving them to the garbage collector. It belongs to one flush of one
// user. Safe for concurrent use.
type recycler struct {
	memory.GoAllocator

	mu   sync.Mutex // guards free
	free map[int][][]byte
}

// Allocate returns memory that may hold old bytes. Its capacity is a power of 2.
func (r *recycler) Allocate(size int) []byte {
	room := 64
	if size > room {
		room = 1 << bits.Len(uint(size-1))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.free[room]; len(list) > 0 {
		r.free[room] = list[:len(list)-1]
		return list[len(list)-1][:size]
	}
	return r.GoAllocator.Allocate(room)[:size]
}

// Reallocate returns memory that begins with the bytes of b, which it frees
// unless it is the same.
func (r *recycler) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	grown := r.Allocate(size)
	copy(grown, b)
	r.Free(b)
	return grown
}

// Free takes back what Allocate or Reallocate returned.
func (r *recycler) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.free == nil {
		r.free = map[int][][]byte{}
	}
	r.free[cap(b)] = append(r.free[cap(b)], b[:0])
}
