package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam/buffer"
)

// guard turns what was recovered of a panic of Badger over damaged bytes, or of
// a fault over a file that was cut, into an error.
func (b *Backend) guard(p any, err *error) {
	if p != nil {
		*err = damaged(b.dir, fmt.Errorf("read: %v", p))
	}
}

// Get implements buffer.Reader.
func (b *Backend) Get(ctx context.Context, keyspace string, key []byte) ([]byte, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer b.leave()
	defer b.large.end(b.large.begin())
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	return b.get(txn, &b.keyspaces, keyspace, key)
}

func (b *Backend) get(txn *badger.Txn, in *keyspaces, keyspace string, key []byte) (_ []byte, err error) {
	defer func() { b.guard(recover(), &err) }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	k, err := in.key(keyspace, key)
	if err != nil {
		return nil, err
	}
	if len(key) == 0 {
		return nil, buffer.ErrKeyNotFound
	}
	item, err := txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, buffer.ErrKeyNotFound
	}
	if err != nil {
		return nil, buffer.NewDamageError(keyspace, key, err)
	}
	var value []byte
	err = item.Value(func(stored []byte) error {
		if item.UserMeta() != metaLarge {
			value = append([]byte{}, stored...)
			return nil
		}
		value, err = b.readLarge(stored, nil)
		return err
	})
	if err != nil {
		return nil, buffer.NewDamageError(keyspace, key, err)
	}
	return value, nil
}

// readLarge reads the value that a stored pointer refers to.
func (b *Backend) readLarge(stored, buf []byte) ([]byte, error) {
	p, err := decodePointer(stored)
	if err != nil {
		return nil, err
	}
	return b.large.read(p, buf)
}

// Scan implements buffer.Reader. It sees the state at its start.
func (b *Backend) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	defer b.large.end(b.large.begin())
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	return b.scan(ctx, txn, &b.keyspaces, keyspace, start, end, f)
}

// Keys implements buffer.Backend.
func (b *Backend) Keys(ctx context.Context, keyspace string, start, end []byte, f func(key []byte) error) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	visit := func(key []byte, _ *badger.Item, inside *bool) (stop, damage error) {
		*inside = true
		stop = f(key)
		*inside = false
		return stop, nil
	}
	return b.walk(ctx, txn, &b.keyspaces, keyspace, start, end, visit)
}

// scan is Scan in a transaction.
func (b *Backend) scan(ctx context.Context, txn *badger.Txn, in *keyspaces, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	var large []byte
	return b.walk(ctx, txn, in, keyspace, start, end,
		func(key []byte, item *badger.Item, inside *bool) (stop, damage error) {
			var unreadable error
			damage = item.Value(func(value []byte) error {
				if item.UserMeta() == metaLarge {
					if large, unreadable = b.readLarge(value, large); unreadable != nil {
						return nil //nolint:nilerr // It is returned beside the error of Value.
					}
					value = large
				}
				*inside = true
				stop = f(key, value)
				*inside = false
				return nil
			})
			return stop, errors.Join(damage, unreadable)
		})
}

// walk calls visit for every key in [start, end). visit sets inside while it is in
// its caller's code, whose panics are none of Badger's.
func (b *Backend) walk(ctx context.Context, txn *badger.Txn, in *keyspaces, keyspace string, start, end []byte,
	visit func(key []byte, item *badger.Item, inside *bool) (stop, damage error)) (err error) {
	prefix, err := in.key(keyspace, nil)
	if err != nil {
		return err
	}
	var inside bool
	defer func() {
		if !inside {
			b.guard(recover(), &err)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.Prefix = append(prefix[:len(prefix):len(prefix)], commonPrefix(start, end)...)
	it := txn.NewIterator(o)
	defer it.Close()
	var limit []byte
	if end != nil {
		limit = append(prefix[:len(prefix):len(prefix)], end...)
	}
	for it.Seek(append(prefix[:len(prefix):len(prefix)], start...)); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		item := it.Item()
		full := item.Key()
		if limit != nil && bytes.Compare(full, limit) >= 0 {
			return nil
		}
		key := full[len(prefix):]
		stop, damage := visit(key, item, &inside)
		if stop != nil {
			return stop
		}
		if damage != nil {
			return buffer.NewDamageError(keyspace, bytes.Clone(key), damage)
		}
	}
	return nil
}

// commonPrefix returns what all keys in [start, end) begin with.
func commonPrefix(start, end []byte) []byte {
	n := 0
	for n < len(start) && n < len(end) && start[n] == end[n] {
		n++
	}
	return start[:n]
}
