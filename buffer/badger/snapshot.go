package badger

import (
	"context"
	"maps"
	"slices"
	"sync"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam/buffer"
)

// snapshot is a state of a Backend.
type snapshot struct {
	backend   *Backend
	txn       *badger.Txn
	keyspaces keyspaces // As they were.
	epoch     uint64    // Keeps the large values that the state refers to.
	ending    sync.Once
}

var _ buffer.Snapshot = (*snapshot)(nil)

// Snapshot implements buffer.Backend.
func (b *Backend) Snapshot(ctx context.Context) (buffer.Snapshot, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	b.keyspaces.change.Lock() // No keyspace is half made or half gone.
	defer b.keyspaces.change.Unlock()
	s := &snapshot{backend: b, epoch: b.large.begin()}
	s.txn = b.db.NewTransaction(false)
	b.keyspaces.mu.RLock()
	defer b.keyspaces.mu.RUnlock()
	s.keyspaces.number = maps.Clone(b.keyspaces.number)
	return s, nil
}

// Keyspaces implements buffer.Snapshot.
func (s *snapshot) Keyspaces() []string { return slices.Sorted(maps.Keys(s.keyspaces.number)) }

// Get implements buffer.Reader.
func (s *snapshot) Get(ctx context.Context, keyspace string, key []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.backend.get(s.txn, &s.keyspaces, keyspace, key)
}

// Scan implements buffer.Reader.
func (s *snapshot) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	return s.backend.scan(ctx, s.txn, &s.keyspaces, keyspace, start, end, f)
}

// Close implements buffer.Snapshot.
func (s *snapshot) Close() {
	s.ending.Do(func() {
		s.txn.Discard()
		s.backend.large.end(s.epoch)
		s.backend.leave()
	})
}
