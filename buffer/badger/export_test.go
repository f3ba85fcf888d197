package badger

import (
	"context"

	badger "github.com/dgraph-io/badger/v4"
)

// FreeSpace is freeSpace.
func FreeSpace(dir string) (int64, bool) { return freeSpace(dir) }

// NoteOpening is noteOpening.
func NoteOpening(dir string) error { return noteOpening(dir) }

// OnDrop sets what is called when a keyspace's record is gone and its keys are
// not.
func (b *Backend) OnDrop(f func()) { b.onDrop = f }

// WaitRemoved waits until the files are gone that nothing refers to. Nobody may
// write meanwhile.
func (b *Backend) WaitRemoved() { b.large.removing.Wait() }

// StoredKeys counts the keys of all keyspaces.
func (b *Backend) StoredKeys() int {
	n := 0
	_ = b.db.View(func(txn *badger.Txn) error { // it returns what f returns
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			n++
		}
		return nil
	})
	return n
}

// Compact gives back the space of everything that was overwritten and deleted.
func (b *Backend) Compact(ctx context.Context) error {
	if err := b.collect(ctx); err != nil {
		return err
	}
	b.compacting.Lock()
	defer b.compacting.Unlock()
	return b.db.Flatten(1)
}
