package badger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// purgeWait bounds how long Purge waits for Badger's own compaction of its newest level.
const purgeWait = 10 * time.Second

// Purge takes what was deleted or overwritten out of the files of the directory: the
// memtable in use is filled and becomes a table, and all tables are merged. That writes
// all that is stored once more, and up to six memtables. What a snapshot or a read that is
// running may see stays until the next Purge. CodeResourceExhausted, or another error,
// when there is no room for it.
func (b *Backend) Purge(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	before := b.purges.last()
	b.purges.mu.Lock()
	defer b.purges.mu.Unlock()
	if b.purges.since(before) {
		return nil
	}
	run := b.purges.begin()
	if err := b.purge(ctx); err != nil {
		return fmt.Errorf("take deleted rows out of the write buffer: %w", err)
	}
	b.purges.end(run)
	return nil
}

func (b *Backend) purge(ctx context.Context) error {
	b.writing.Lock()
	b.large.endFile()
	b.writing.Unlock()
	if err := b.move(ctx, b.large.stale); err != nil {
		return err
	}
	if err := b.rotate(true); err != nil {
		return err
	}
	return b.mergeTables(ctx)
}

// mergeTables merges all tables into one level. Badger merges those of the newest level
// into another only when some are there, or when they are many: then memtables are filled
// until it does.
func (b *Backend) mergeTables(ctx context.Context) error {
	const most = 6 // Tables from which on Flatten merges those of the newest level.
	for range most {
		if err := b.flatten(); err != nil {
			return err
		}
		if b.merged() {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := b.rotate(true); err != nil {
			return err
		}
	}
	for begun := time.Now(); time.Since(begun) < purgeWait; {
		if err := b.flatten(); err != nil {
			return err
		}
		if b.merged() {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(tablePause):
		}
	}
	return errors.New("its tables were not merged in time; try again")
}

// merged reports whether no table is in the newest level.
func (b *Backend) merged() bool {
	for _, l := range b.db.Levels() {
		if l.Level == 0 && l.NumTables > 0 {
			return false
		}
	}
	return true
}
