package memory

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// limits are generous: what bounds a batch in memory is memory.
var limits = buffer.Limits{Ops: 1 << 20, Bytes: 1 << 30, Value: 1 << 30}

// Backend keeps partitions in memory.
type Backend struct {
	rank  priorities
	mu    sync.Mutex // serialises writers
	state atomic.Pointer[state]
}

var _ buffer.Backend = (*Backend)(nil)

// state is one immutable state: the root of every partition.
type state struct{ partitions map[string]*node }

// New returns an empty Backend.
func New() *Backend {
	b := &Backend{rank: priorities{maphash.MakeSeed()}}
	b.state.Store(&state{partitions: map[string]*node{}})
	return b
}

// Clone returns a Backend with the present content, which neither shares with
// the other what is written from then on: the disk of a process that dies now.
func (b *Backend) Clone() *Backend {
	c := &Backend{rank: b.rank}
	c.state.Store(b.state.Load())
	return c
}

// current returns the present state, nil after Close.
func (b *Backend) current(ctx context.Context) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := b.state.Load()
	if s == nil {
		return nil, closed()
	}
	return s, nil
}

func closed() error { return kalam.Errorf(kalam.CodeShuttingDown, "the write buffer is closed") }

// partition returns the root of a partition.
func (s *state) partition(name string) (*node, error) {
	if err := buffer.CheckPartition(name); err != nil {
		return nil, err
	}
	root, ok := s.partitions[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", buffer.ErrPartitionNotFound, name)
	}
	return root, nil
}

// Get implements buffer.Reader.
func (b *Backend) Get(ctx context.Context, partition string, key []byte) ([]byte, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.get(partition, key)
}

func (s *state) get(partition string, key []byte) ([]byte, error) {
	root, err := s.partition(partition)
	if err != nil {
		return nil, err
	}
	n := root.get(key)
	if n == nil {
		return nil, buffer.ErrKeyNotFound
	}
	return append([]byte{}, n.value...), nil
}

// Scan implements buffer.Reader. It sees the state at its start.
func (b *Backend) Scan(ctx context.Context, partition string, start, end []byte, f func(key, value []byte) error) error {
	s, err := b.current(ctx)
	if err != nil {
		return err
	}
	return s.scan(ctx, partition, start, end, f)
}

// Keys implements buffer.Backend.
func (b *Backend) Keys(ctx context.Context, partition string, start, end []byte, f func(key []byte) error) error {
	return b.Scan(ctx, partition, start, end, func(key, _ []byte) error { return f(key) })
}

func (s *state) scan(ctx context.Context, partition string, start, end []byte, f func(key, value []byte) error) error {
	root, err := s.partition(partition)
	if err != nil {
		return err
	}
	return root.scan(start, end, func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(key, value)
	})
}

// update replaces the state by what f makes of a copy of its partitions.
func (b *Backend) update(ctx context.Context, f func(partitions map[string]*node) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.current(ctx)
	if err != nil {
		return err
	}
	next := maps.Clone(s.partitions)
	if err := f(next); err != nil {
		return err
	}
	b.state.Store(&state{partitions: next})
	return nil
}

// Apply implements buffer.Backend.
func (b *Backend) Apply(ctx context.Context, ops []buffer.Op) error {
	if err := limits.Check(ops); err != nil {
		return err
	}
	return b.update(ctx, func(partitions map[string]*node) error {
		for _, op := range ops {
			root, err := (&state{partitions}).partition(op.Partition)
			if err != nil {
				return err
			}
			if len(op.Key) == 0 {
				return fmt.Errorf("%w: empty key", buffer.ErrBatchFailed)
			}
			if op.Delete {
				root = root.remove(op.Key)
			} else {
				root = root.set(append([]byte{}, op.Key...), append([]byte{}, op.Value...), b.rank.of(op.Key))
			}
			partitions[op.Partition] = root
		}
		return nil
	})
}

// MaxBatch implements buffer.Backend.
func (b *Backend) MaxBatch() buffer.Limits { return limits }

// CreatePartition implements buffer.Backend.
func (b *Backend) CreatePartition(ctx context.Context, name string) error {
	if err := buffer.CheckPartition(name); err != nil {
		return err
	}
	return b.update(ctx, func(partitions map[string]*node) error {
		if _, ok := partitions[name]; ok {
			return fmt.Errorf("%w: %s", buffer.ErrPartitionExists, name)
		}
		partitions[name] = nil
		return nil
	})
}

// Partitions implements buffer.Backend.
func (b *Backend) Partitions(ctx context.Context) ([]string, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(s.partitions)), nil
}

// DropPartition implements buffer.Backend.
func (b *Backend) DropPartition(ctx context.Context, name string) error {
	return b.update(ctx, func(partitions map[string]*node) error {
		if _, err := (&state{partitions}).partition(name); err != nil {
			return err
		}
		delete(partitions, name)
		return nil
	})
}

// Close implements buffer.Backend. What was written is lost, except to clones.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.Store(nil)
	return nil
}
