package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// store is the catalog's view of the backend: records under text keys in one
// keyspace.
type store struct{ backend buffer.Backend }

// create makes the keyspace at the first start.
func (s store) create(ctx context.Context) error {
	err := s.backend.CreateKeyspace(ctx, Keyspace)
	if err != nil && !errors.Is(err, buffer.ErrKeyspaceExists) {
		return fmt.Errorf("create keyspace %s: %w", Keyspace, err)
	}
	return nil
}

// get returns the bytes of a record.
func (s store) get(ctx context.Context, key string) ([]byte, bool, error) {
	return reader{s.backend}.get(ctx, key)
}

// reader reads records.
type reader struct{ from buffer.Reader }

func (r reader) get(ctx context.Context, key string) ([]byte, bool, error) {
	raw, err := r.from.Get(ctx, Keyspace, []byte(key))
	if errors.Is(err, buffer.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read catalog record %q: %w", key, err)
	}
	return raw, true, nil
}

// scan calls f for every record whose key begins with prefix, by key. raw is
// valid during the call only.
func (s store) scan(ctx context.Context, prefix string, f func(key string, raw []byte) error) error {
	return s.backend.Scan(ctx, Keyspace, []byte(prefix), []byte(prefixEnd(prefix)), func(key, value []byte) error {
		return f(string(key), value)
	})
}

// apply writes all operations or none, durably.
func (s store) apply(ctx context.Context, ops []operation) error {
	batch := make([]buffer.Op, len(ops))
	for i, op := range ops {
		batch[i] = buffer.Op{Keyspace: Keyspace, Key: []byte(op.key), Value: op.value, Delete: op.value == nil}
	}
	return s.backend.Apply(ctx, batch)
}

// operation puts a record, or deletes its key when value is nil.
type operation struct {
	key   string
	value []byte
}

// metaRecord holds what is not part of another record.
type metaRecord struct {
	NextTable kalam.TableNumber `json:"next_table"`
	Audit     int               `json:"audit,omitempty"`
}
