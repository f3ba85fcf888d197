package lake

import (
	"container/list"
	"context"
	"errors"
	"io"
	"sync"
)

// handleCache keeps values that hold an open file, bounded by number and bytes,
// least recently used first out. A value in use is not closed under its users:
// it leaves the cache and is closed with the last release. Values are opened
// once however many ask, outside the lock.
type handleCache[T io.Closer] struct {
	maxCount int
	maxBytes int64

	mu      sync.Mutex // guards all below and the fields of handles
	entries map[objectKey]*handle[T]
	order   *list.List // of *handle[T], most recently used first; loaded ones only
	bytes   int64
}

// handle is one value of a handleCache.
type handle[T io.Closer] struct {
	key   objectKey
	value T
	bytes int64
	err   error
	ready chan struct{} // closed when value or err is set

	refs    int
	element *list.Element // nil when not in the order
	dropped bool          // no longer in entries; closed when refs is 0
}

func newHandleCache[T io.Closer](maxCount int, maxBytes int64) *handleCache[T] {
	return &handleCache[T]{
		maxCount: maxCount, maxBytes: maxBytes,
		entries: make(map[objectKey]*handle[T]), order: list.New(),
	}
}

// acquire returns the handle of key, opened by open if need be; open returns
// the value and the bytes of memory it takes. The caller calls release. A
// failed open is not kept.
func (c *handleCache[T]) acquire(ctx context.Context, key objectKey,
	open func() (T, int64, error)) (*handle[T], error) {
	for {
		h, mine := c.lookup(key)
		if mine {
			h.value, h.bytes, h.err = open()
			closed := c.loaded(h)
			close(h.ready)
			if h.err != nil {
				return nil, h.err
			}
			_ = closeAll(closed) // They were read only: nothing can be lost.
			return h, nil
		}
		select {
		case <-h.ready:
		case <-ctx.Done():
			c.release(h)
			return nil, ctx.Err()
		}
		if h.err == nil {
			return h, nil
		}
		c.release(h)
		// The one that opened it may just have been cancelled; that is not ours.
		if errors.Is(h.err, context.Canceled) || errors.Is(h.err, context.DeadlineExceeded) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue
		}
		return nil, h.err
	}
}

// contains reports whether key is in the cache or being opened.
func (c *handleCache[T]) contains(key objectKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.entries[key]
	return ok
}

// lookup returns the handle of key with one more reference, and whether the
// caller must open it.
func (c *handleCache[T]) lookup(key objectKey) (h *handle[T], mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.entries[key]
	if !ok {
		h = &handle[T]{key: key, ready: make(chan struct{})}
		c.entries[key] = h
	}
	h.refs++
	if h.element != nil {
		c.order.MoveToFront(h.element)
	}
	return h, !ok
}

// loaded puts an opened handle in order and returns the values that this pushed
// out.
func (c *handleCache[T]) loaded(h *handle[T]) []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.err != nil {
		c.removeLocked(h)
		h.refs--
		return nil
	}
	if !h.dropped {
		h.element = c.order.PushFront(h)
		c.bytes += h.bytes
	}
	return c.shrinkLocked()
}

// shrinkLocked takes out what exceeds the bounds and returns the values that
// nobody uses.
func (c *handleCache[T]) shrinkLocked() []T {
	var unused []T
	for c.order.Len() > 1 && (c.order.Len() > c.maxCount || c.bytes > c.maxBytes) {
		oldest := c.order.Back().Value.(*handle[T])
		c.removeLocked(oldest)
		if oldest.refs == 0 {
			unused = append(unused, oldest.value)
		}
	}
	return unused
}

// removeLocked takes h out of the cache.
func (c *handleCache[T]) removeLocked(h *handle[T]) {
	if h.dropped {
		return
	}
	h.dropped = true
	delete(c.entries, h.key)
	if h.element != nil {
		c.order.Remove(h.element)
		h.element = nil
		c.bytes -= h.bytes
	}
}

// release gives back a handle of acquire.
func (c *handleCache[T]) release(h *handle[T]) {
	c.mu.Lock()
	h.refs--
	last := h.dropped && h.refs == 0 && h.err == nil
	c.mu.Unlock()
	if last {
		_ = closeAll([]T{h.value}) // Read only, as above.
	}
}

// drop takes key out, so that the next acquire opens it anew.
func (c *handleCache[T]) drop(key objectKey) {
	c.mu.Lock()
	h, ok := c.entries[key]
	unused := false
	if ok {
		c.removeLocked(h)
		unused = h.refs == 0
	}
	c.mu.Unlock()
	if unused {
		_ = closeAll([]T{h.value}) // Read only, as above.
	}
}

// dropHandle takes h out, if it is still in, so that the next acquire opens anew. The
// caller holds it and releases it.
func (c *handleCache[T]) dropHandle(h *handle[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(h)
}

// dropAll takes out every key that match accepts and closes what nobody uses.
func (c *handleCache[T]) dropAll(match func(objectKey) bool) error {
	c.mu.Lock()
	var unused []T
	for key, h := range c.entries {
		if !match(key) {
			continue
		}
		c.removeLocked(h)
		if h.refs == 0 {
			unused = append(unused, h.value)
		}
	}
	c.mu.Unlock()
	return closeAll(unused)
}

// close takes everything out and closes what nobody uses.
func (c *handleCache[T]) close() error { return c.dropAll(func(objectKey) bool { return true }) }

// closeAll closes files that were only read; an error says nothing about what
// was read, so most callers have no use for it.
func closeAll[T io.Closer](values []T) error {
	var err error
	for _, v := range values {
		err = errors.Join(err, v.Close())
	}
	return err
}
