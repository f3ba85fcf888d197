package badger

import (
	"context"
	"fmt"
	"time"
)

// syncLoop makes relaxed writes durable in short intervals.
func (b *Backend) syncLoop() {
	defer b.work.Done()
	ticker := time.NewTicker(relaxedSync)
	defer ticker.Stop()
	for {
		select {
		case <-b.quit:
			return
		case <-ticker.C:
		}
		b.writing.Lock()
		if !b.failed.Load() {
			if err := b.syncLogs(); err != nil {
				b.fail(err)
			}
		}
		b.writing.Unlock()
	}
}

// Sync returns when everything that was written before is on disk. Only a relaxed
// Backend has anything to wait for. Files may be removed after it that the
// committed state names no more: a power cut cannot bring the older state back.
func (b *Backend) Sync(ctx context.Context) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	defer b.leave()
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.failed.Load() {
		return errFailed()
	}
	if !b.opts.Relaxed {
		return nil
	}
	if err := b.syncLogs(); err != nil {
		b.fail(err)
		return fmt.Errorf("sync the write buffer: %w", err)
	}
	return nil
}

// syncLogs makes every commit so far durable. Badger's Sync would leave out a log
// that is full and whose table is not on disk yet. The caller holds writing.
func (b *Backend) syncLogs() error {
	if syncsItself {
		return b.logs.sync(b.room.placed)
	}
	return b.db.Sync()
}
