package badger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Put implements buffer.Backend.
func (b *Backend) Put(ctx context.Context, keyspace string, key, value []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Value: value}})
}

// Delete implements buffer.Backend.
func (b *Backend) Delete(ctx context.Context, keyspace string, key []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Delete: true}})
}

// MaxBatch implements buffer.Backend.
func (b *Backend) MaxBatch() buffer.Limits { return b.limits }

// Apply implements buffer.Backend. A canceled ctx refuses the batch at the start
// and does not end it later.
func (b *Backend) Apply(ctx context.Context, ops []buffer.Op) error {
	if err := b.limits.Check(ops); err != nil {
		return err
	}
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	stored := make([]storedOp, len(ops))
	last := make(map[string]int, len(ops)) // Of two ops on a key the later counts.
	for i := range ops {
		key, err := b.keyspaces.key(ops[i].Keyspace, ops[i].Key)
		if err != nil {
			return err
		}
		if len(ops[i].Key) == 0 {
			return fmt.Errorf("%w: empty key", buffer.ErrBatchFailed)
		}
		stored[i] = storedOp{key: key, value: ops[i].Value, remove: ops[i].Delete, bulk: ops[i].Bulk}
		last[string(key)] = i
	}
	if len(last) < len(stored) {
		kept := stored[:0]
		for i, op := range stored {
			if last[string(op.key)] == i {
				kept = append(kept, op)
			}
		}
		stored = kept
	}
	return b.write(stored)
}

// write makes ops durable, all or none.
func (b *Backend) write(ops []storedOp) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.writeLocked(ops)
}

// writeLocked is write. The caller holds writing.
func (b *Backend) writeLocked(ops []storedOp) error {
	log, values := b.sizeOf(ops)
	if err := b.writable(ops, log, values); err != nil {
		return err
	}
	pointers, err := b.writeLarge(ops)
	if err != nil {
		return err
	}
	txn := b.db.NewTransaction(true)
	defer txn.Discard()
	for i := range ops {
		if err := b.setOne(txn, &ops[i], pointers[i]); err != nil {
			return batchError(err)
		}
	}
	if err := b.commit(txn); err != nil {
		return err
	}
	if err := b.room.wrote(log); err != nil { // What was committed stays so.
		b.fail(err)
	}
	for i := range ops {
		if ops[i].remove && ops[i].key[0] != keyPadding && ops[i].key[0] != keyFirst {
			b.removed.Add(1)
		}
		if p := pointers[i]; p != nil {
			b.large.refer(string(ops[i].key), *p)
		} else {
			b.large.forget(string(ops[i].key))
		}
	}
	b.large.endObsolete(false)
	return nil
}

// writeLarge makes the large values durable and returns where they are, nil for
// the others.
func (b *Backend) writeLarge(ops []storedOp) ([]*pointer, error) {
	at := make([]*pointer, len(ops))
	var values [][]byte
	var which []int
	for i := range ops {
		if !ops[i].remove && int64(len(ops[i].value)) >= b.limits.Large {
			values, which = append(values, ops[i].value), append(which, i)
		}
	}
	if len(values) == 0 {
		return at, nil
	}
	found, err := b.large.append(values)
	if isNoSpace(err) {
		return nil, kalam.Wrap(kalam.CodeResourceExhausted, err, "the disk of the write buffer is full")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: write large values: %w", buffer.ErrBatchFailed, err)
	}
	for k, i := range which {
		at[i] = &found[k]
	}
	return at, nil
}

// setOne puts one op into a transaction: the key, and beside it, for a start to
// find them quickly, the reference of a large value.
func (b *Backend) setOne(txn *badger.Txn, op *storedOp, at *pointer) error {
	if at != nil {
		value := at.encode()
		err := txn.SetEntry(badger.NewEntry(op.key, value).WithMeta(metaLarge))
		return errors.Join(err, txn.Set(referenceKey(op.key), value))
	}
	if b.large.refers(op.key) {
		if err := txn.Delete(referenceKey(op.key)); err != nil {
			return err
		}
	}
	if op.remove {
		return txn.Delete(op.key)
	}
	return txn.Set(op.key, op.value)
}

func errFailed() error {
	return kalam.Errorf(kalam.CodeInternal,
		"the disk of the write buffer failed; nothing is written until the server is started again")
}

// writable refuses a batch that cannot be written: after a failed sync, and when the
// disk is nearly full. Batches without bulk are how space is given back: they are
// refused only where Badger itself has no room for them.
func (b *Backend) writable(ops []storedOp, log, values int64) error {
	if b.failed.Load() {
		return errFailed()
	}
	free, known := b.space.free(b.dir, log+values)
	if !known {
		return nil
	}
	if need := b.reserve(); need > 0 && free-values < need && hasBulk(ops) {
		return errFull(free, need+values)
	}
	return b.room.check(log, free)
}

// sizeOf returns the most that ops take of a memtable, and the bytes of their large
// values. One of a large value writes, or deletes, a second entry.
func (b *Backend) sizeOf(ops []storedOp) (memtable, large int64) {
	memtable = entryBytes + int64(len("!badger!txn")) // The end of the transaction.
	for i := range ops {
		op := &ops[i]
		key, value := int64(len(op.key))+entryBytes, int64(len(op.value))
		switch {
		case op.remove:
			value = 0
		case value >= b.limits.Large:
			large += value
			memtable += key + 2*pointerBytes
			value = 0
		}
		if op.remove || b.large.refers(op.key) {
			memtable += key
		}
		memtable += key + value
	}
	return memtable, large
}

func hasBulk(ops []storedOp) bool {
	return slices.ContainsFunc(ops, func(op storedOp) bool { return op.bulk && !op.remove })
}

// commit commits a transaction and, unless relaxed, makes it durable. The caller
// holds writing.
func (b *Backend) commit(txn *badger.Txn) error {
	err := txn.Commit()
	switch {
	case errors.Is(err, badger.ErrTxnTooBig):
		return batchError(err)
	case isNoSpace(err):
		// Badger could not begin its next log, and would end the process over the next
		// transaction. It does not happen where the log is made before.
		b.fail(err)
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "the disk of the write buffer is full")
	}
	if err == nil && !b.opts.Relaxed {
		err = b.logs.sync(b.room.placed)
	}
	if err == nil {
		return nil
	}
	b.fail(err)
	return batchError(err)
}

// fail ends the writing. After a failed sync, be it for want of space, the system
// may have forgotten what it could not write, and a later sync would succeed.
func (b *Backend) fail(err error) {
	b.failed.Store(true)
	b.log.Error("the write buffer cannot write; it takes nothing more until the next start",
		"directory", b.dir, "error", err)
}

func batchError(err error) error {
	if errors.Is(err, badger.ErrTxnTooBig) {
		return fmt.Errorf("%w: %w", buffer.ErrNotSupported, err)
	}
	return fmt.Errorf("%w: %w", buffer.ErrBatchFailed, err)
}
