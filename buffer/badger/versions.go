package badger

import (
	"bytes"
	"context"
	"runtime/debug"

	badger "github.com/dgraph-io/badger/v4"
)

// Versions counts what the tables and the memtables hold of the keys in [start, end) of a keyspace:
// every version of a value that was stored, also of keys that were deleted or overwritten since.
// Zero after Purge says that none is left. Deletions, which hold keys only, are counted apart.
func (b *Backend) Versions(ctx context.Context, keyspace string, start, end []byte) (values, deletions int, err error) {
	if err := b.enter(ctx); err != nil {
		return 0, 0, err
	}
	defer b.leave()
	prefix, err := b.keyspaces.key(keyspace, nil)
	if err != nil {
		return 0, 0, err
	}
	defer func() { b.guard(recover(), &err) }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	txn := b.db.NewTransaction(false)
	defer txn.Discard()
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.AllVersions = false, true
	o.Prefix = append(prefix[:len(prefix):len(prefix)], commonPrefix(start, end)...)
	it := txn.NewIterator(o)
	defer it.Close()
	limit := append(prefix[:len(prefix):len(prefix)], end...)
	for it.Seek(append(prefix[:len(prefix):len(prefix)], start...)); it.Valid(); it.Next() {
		if err := ctx.Err(); err != nil {
			return values, deletions, err
		}
		item := it.Item()
		if end != nil && bytes.Compare(item.Key(), limit) >= 0 {
			break
		}
		if item.IsDeletedOrExpired() {
			deletions++
		} else {
			values++
		}
	}
	return values, deletions, nil
}
