package badger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Badger gives back the space of deleted keys when a compaction meets the deletions,
// which with little data is never: it compacts from five tables on, and deletions
// stay in memory until the memtable is full. While the disk is nearly full the two
// are brought about here.
const (
	reclaimEvery = time.Second
	// reclaimPause is the least between two runs, of which each costs a memtable of
	// writing.
	reclaimPause = 5 * time.Second
)

// keepRoom sees to the room that Badger needs.
func (b *Backend) keepRoom() {
	if b.reclaimDue() {
		b.reclaim()
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	if err := b.room.refill(); err != nil {
		b.log.Warn("the reserve of the write buffer is not made; it is tried again", "directory", b.dir, "error", err)
	}
}

// reclaimDue reports whether the disk is nearly full and something was deleted.
func (b *Backend) reclaimDue() bool {
	if b.removed.Load() == 0 || time.Since(b.reclaimed) < reclaimPause {
		return false
	}
	free, known := freeSpace(b.dir)
	return known && free < b.reserve()*5/4
}

// reclaim gives back the space of deleted keys.
func (b *Backend) reclaim() {
	b.reclaimed = time.Now()
	removed := b.removed.Swap(0)
	before, _ := freeSpace(b.dir)
	b.writing.Lock()
	b.large.endObsolete(true)
	b.writing.Unlock()
	err := errors.Join(b.collect(context.Background()), b.rotate(false))
	if err == nil {
		err = b.flatten()
	}
	after, _ := freeSpace(b.dir)
	if err != nil {
		b.removed.Add(removed)
		b.log.Debug("the space of deleted rows is not given back yet", "directory", b.dir, "error", err)
		return
	}
	b.log.Info("the disk is nearly full: the space of deleted rows is given back",
		"directory", b.dir, "free_before", before, "free", after)
}

// rotate fills the memtable, so that its deletions get into a table. With wide, the table
// spans all keys, so that all others are merged with it.
func (b *Backend) rotate(wide bool) error {
	var fill, clear []storedOp
	value := make([]byte, b.limits.Large-1)
	most := min(b.limits.Bytes/(b.limits.Large+1), int64(b.limits.Ops))
	for i := range most {
		key := []byte{keyPadding, byte(i >> 8), byte(i)}
		fill = append(fill, storedOp{key: key, value: value})
		clear = append(clear, storedOp{key: key, remove: true})
	}
	can := b.room.canRotate
	if wide {
		can = b.room.canRotateAnyway
		fill = append(fill[1:], storedOp{key: []byte{keyFirst}, remove: true})
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	if !can() {
		return errNoRotation
	}
	log := b.room.log
	for written := int64(0); !b.room.rotated(log, written); written += int64(len(value)) * most {
		if written > 2*b.opts.MemtableBytes {
			return fmt.Errorf("log %d is not full after %d bytes", log, written)
		}
		if err := b.writeLocked(fill); err != nil {
			return err
		}
	}
	return b.writeLocked(clear)
}

// errNoRotation says that a memtable is not filled up for the deletions in it.
var errNoRotation = errors.New("there is no room for another log")

// errLeft says that the store is being closed.
var errLeft = errors.New("the write buffer is being closed")

// flatten compacts what there is, once the tables of the memtables that are full are
// written. It returns early when the store is closed: a compaction waits for room.
func (b *Backend) flatten() error {
	for begun := time.Now(); time.Since(begun) < stuckFor; {
		if logs, err := usedLogs(b.dir); err != nil || len(logs) <= 1 {
			break
		}
		select {
		case <-b.quit:
			return errLeft
		case <-time.After(tablePause):
		}
	}
	done := make(chan error, 1)
	b.flattening.Add(1)
	go func() {
		defer b.flattening.Add(-1)
		b.compacting.Lock()
		defer b.compacting.Unlock()
		done <- b.db.Flatten(1)
	}()
	select {
	case <-b.quit:
		return errLeft
	case err := <-done:
		return err
	}
}
