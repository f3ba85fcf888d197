package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// limits are generous: what bounds a batch in memory is memory.
var limits = buffer.Limits{Ops: 1 << 20, Bytes: 1 << 30, Value: 1 << 30}

// Backend keeps keyspaces in memory.
type Backend struct {
	mu    sync.Mutex // serialises writers, and Clone
	state atomic.Pointer[state]
}

var _ buffer.Backend = (*Backend)(nil)

// tree has the values of a keyspace by their keys, ordered by the bytes of these.
type tree = btree.Map[string, []byte]

// state is one state: the tree of every keyspace. Readers of a tree never wait; a
// writer changes a copy, which shares what it leaves alone.
type state struct{ keyspaces map[string]*tree }

// New returns an empty Backend.
func New() *Backend {
	b := &Backend{}
	b.state.Store(&state{keyspaces: map[string]*tree{}})
	return b
}

// Clone returns a Backend with the present content, which neither shares with
// the other what is written from then on: the disk of a process that dies now.
func (b *Backend) Clone() *Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &Backend{}
	s := b.state.Load()
	if s == nil {
		return c
	}
	// A copy marks the original, too: two backends cannot have one tree, of which each makes
	// copies under its own lock.
	keyspaces := make(map[string]*tree, len(s.keyspaces))
	for name, t := range s.keyspaces {
		keyspaces[name] = t.Copy()
	}
	c.state.Store(&state{keyspaces})
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

// keyspace returns the tree of a keyspace.
func (s *state) keyspace(name string) (*tree, error) {
	if err := buffer.CheckKeyspace(name); err != nil {
		return nil, err
	}
	t, ok := s.keyspaces[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", buffer.ErrKeyspaceNotFound, name)
	}
	return t, nil
}

// snapshot is a state, which nothing changes.
type snapshot struct{ state *state }

// Snapshot implements buffer.Backend.
func (b *Backend) Snapshot(ctx context.Context) (buffer.Snapshot, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	return snapshot{s}, nil
}

// Keyspaces implements buffer.Snapshot.
func (s snapshot) Keyspaces() []string { return slices.Sorted(maps.Keys(s.state.keyspaces)) }

// Get implements buffer.Reader.
func (s snapshot) Get(ctx context.Context, keyspace string, key []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.state.get(keyspace, key)
}

// Scan implements buffer.Reader.
func (s snapshot) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	return s.state.scan(ctx, keyspace, start, end, f)
}

// Close implements buffer.Snapshot. Nothing was kept.
func (s snapshot) Close() {}

// Get implements buffer.Reader.
func (b *Backend) Get(ctx context.Context, keyspace string, key []byte) ([]byte, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.get(keyspace, key)
}

func (s *state) get(keyspace string, key []byte) ([]byte, error) {
	t, err := s.keyspace(keyspace)
	if err != nil {
		return nil, err
	}
	value, ok := t.Get(string(key))
	if !ok {
		return nil, buffer.ErrKeyNotFound
	}
	return append([]byte{}, value...), nil
}

// Scan implements buffer.Reader. It sees the state at its start.
func (b *Backend) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	s, err := b.current(ctx)
	if err != nil {
		return err
	}
	return s.scan(ctx, keyspace, start, end, f)
}

// Keys implements buffer.Backend.
func (b *Backend) Keys(ctx context.Context, keyspace string, start, end []byte, f func(key []byte) error) error {
	return b.Scan(ctx, keyspace, start, end, func(key, _ []byte) error { return f(key) })
}

func (s *state) scan(ctx context.Context, keyspace string, start, end []byte, f func(key, value []byte) error) error {
	t, err := s.keyspace(keyspace)
	if err != nil {
		return err
	}
	var buf []byte // A key is the callee's during the call only.
	t.Ascend(string(start), func(key string, value []byte) bool {
		if end != nil && key >= string(end) {
			return false
		}
		if err = ctx.Err(); err == nil {
			buf = append(buf[:0], key...)
			err = f(buf, value)
		}
		return err == nil
	})
	return err
}

// update replaces the state by what f makes of a copy of its keyspaces.
func (b *Backend) update(ctx context.Context, f func(keyspaces map[string]*tree) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.current(ctx)
	if err != nil {
		return err
	}
	next := maps.Clone(s.keyspaces)
	if err := f(next); err != nil {
		return err
	}
	b.state.Store(&state{keyspaces: next})
	return nil
}

// Apply implements buffer.Backend.
func (b *Backend) Apply(ctx context.Context, ops []buffer.Op) error {
	if err := limits.Check(ops); err != nil {
		return err
	}
	return b.update(ctx, func(keyspaces map[string]*tree) error {
		copied := map[string]bool{}
		for _, op := range ops {
			t, err := (&state{keyspaces}).keyspace(op.Keyspace)
			if err != nil {
				return err
			}
			if len(op.Key) == 0 {
				return fmt.Errorf("%w: empty key", buffer.ErrBatchFailed)
			}
			if !copied[op.Keyspace] {
				copied[op.Keyspace] = true
				t = t.Copy()
				keyspaces[op.Keyspace] = t
			}
			if op.Delete {
				t.Delete(string(op.Key))
			} else {
				t.Set(string(op.Key), append([]byte{}, op.Value...))
			}
		}
		return nil
	})
}

// MaxBatch implements buffer.Backend.
func (b *Backend) MaxBatch() buffer.Limits { return limits }

// CreateKeyspace implements buffer.Backend.
func (b *Backend) CreateKeyspace(ctx context.Context, name string) error {
	if err := buffer.CheckKeyspace(name); err != nil {
		return err
	}
	return b.update(ctx, func(keyspaces map[string]*tree) error {
		if _, ok := keyspaces[name]; ok {
			return fmt.Errorf("%w: %s", buffer.ErrKeyspaceExists, name)
		}
		keyspaces[name] = &tree{}
		return nil
	})
}

// Keyspaces implements buffer.Backend.
func (b *Backend) Keyspaces(ctx context.Context) ([]string, error) {
	s, err := b.current(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(s.keyspaces)), nil
}

// DropKeyspace implements buffer.Backend.
func (b *Backend) DropKeyspace(ctx context.Context, name string) error {
	return b.update(ctx, func(keyspaces map[string]*tree) error {
		if _, err := (&state{keyspaces}).keyspace(name); err != nil {
			return err
		}
		delete(keyspaces, name)
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
