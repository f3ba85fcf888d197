package badger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// load reads the keyspaces and the references of large values, and removes what
// interrupted removals left.
func (b *Backend) load() error {
	if err := b.loadKeyspaces(); err != nil {
		return err
	}
	if err := b.loadReferences(); err != nil {
		return err
	}
	return b.removeStrays()
}

func (b *Backend) loadReferences() (err error) {
	defer func() { b.guard(recover(), &err) }()
	live := map[string]pointer{}
	err = b.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte{keyReference}
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			value, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			p, err := decodePointer(value)
			if err != nil {
				return fmt.Errorf("reference of %x: %w", it.Item().Key(), err)
			}
			live[string(it.Item().Key()[1:])] = p
		}
		return nil
	})
	if err == nil {
		err = b.large.open(b.dir, live)
	}
	if err != nil {
		return damaged(b.dir, err)
	}
	return nil
}

func (b *Backend) loadKeyspaces() (err error) {
	defer func() { b.guard(recover(), &err) }()
	p := &b.keyspaces
	p.number = map[string]uint32{}
	err = b.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.Prefix = []byte{keyRecord}
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			name := string(it.Item().Key()[1:])
			value, err := it.Item().ValueCopy(nil)
			if err != nil || len(value) != 4 {
				return fmt.Errorf("record of keyspace %q is damaged", name)
			}
			n := binary.BigEndian.Uint32(value)
			p.last = max(p.last, n)
			if name != "" {
				p.number[name] = n
			}
		}
		return nil
	})
	if err != nil {
		return damaged(b.dir, err)
	}
	return nil
}

// removeStrays deletes the keys of numbers that no keyspace has.
//
//nolint:contextcheck // The store opens, or does not.
func (b *Backend) removeStrays() error {
	known := map[uint32]bool{}
	for _, n := range b.keyspaces.number {
		known[n] = true
	}
	for n := uint32(1); n <= b.keyspaces.last; n++ {
		if known[n] {
			continue
		}
		if err := b.deleteAll(context.Background(), n); err != nil {
			return fmt.Errorf("remove what a dropped keyspace left: %w", err)
		}
	}
	return nil
}

// deleteAll deletes the keys of a keyspace in batches.
func (b *Backend) deleteAll(ctx context.Context, n uint32) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		keys, err := b.someKeys(dataPrefix(n, 0), min(deleteOps, b.limits.Ops))
		if err != nil || len(keys) == 0 {
			return err
		}
		ops := make([]storedOp, len(keys))
		for i, k := range keys {
			ops[i] = storedOp{key: k, remove: true}
		}
		if err := b.write(ops); err != nil {
			return err
		}
	}
}

// someKeys returns the first keys with a prefix.
func (b *Backend) someKeys(prefix []byte, most int) (keys [][]byte, err error) {
	defer func() { b.guard(recover(), &err) }()
	err = b.db.View(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues = false
		o.Prefix = prefix
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid() && len(keys) < most; it.Next() {
			keys = append(keys, bytes.Clone(it.Item().Key()))
		}
		return nil
	})
	return keys, err
}

// CreateKeyspace implements buffer.Backend.
func (b *Backend) CreateKeyspace(ctx context.Context, name string) error {
	if err := buffer.CheckKeyspace(name); err != nil {
		return err
	}
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	p := &b.keyspaces
	p.change.Lock()
	defer p.change.Unlock()
	p.mu.RLock()
	_, exists := p.number[name]
	next := p.last + 1
	p.mu.RUnlock()
	if exists {
		return fmt.Errorf("%w: %s", buffer.ErrKeyspaceExists, name)
	}
	if next == 0 {
		return kalam.Errorf(kalam.CodeResourceExhausted, "no more keyspaces can be created")
	}
	err := b.write([]storedOp{{key: recordKey(name), value: recordValue(next)},
		{key: recordKey(""), value: recordValue(next)}})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number[name], p.last = next, next
	return nil
}

// Keyspaces implements buffer.Backend.
func (b *Backend) Keyspaces(ctx context.Context) ([]string, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	b.keyspaces.mu.RLock()
	defer b.keyspaces.mu.RUnlock()
	return slices.Sorted(maps.Keys(b.keyspaces.number)), nil
}

// DropKeyspace implements buffer.Backend. The keyspace is gone with its
// record; its keys follow in batches, or at the next start.
func (b *Backend) DropKeyspace(ctx context.Context, name string) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	p := &b.keyspaces
	p.change.Lock()
	defer p.change.Unlock()
	if _, err := p.key(name, nil); err != nil {
		return err
	}
	if err := b.write([]storedOp{{key: recordKey(name), remove: true}}); err != nil {
		return err
	}
	p.mu.Lock()
	n := p.number[name]
	delete(p.number, name)
	p.mu.Unlock()
	if b.onDrop != nil {
		b.onDrop()
	}
	return b.deleteAll(ctx, n)
}
