package badger

import (
	"context"
	"time"
)

// collectLoop collects, reclaims, and logs the size, until Close.
func (b *Backend) collectLoop() {
	defer b.work.Done()
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	size := time.NewTicker(sizeEvery)
	defer size.Stop()
	reclaim := time.NewTicker(reclaimEvery)
	defer reclaim.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		select {
		case <-b.quit:
			return
		case <-size.C:
			b.log.Info("write buffer size", "directory", b.dir, "bytes", b.diskSize())
			continue
		case <-reclaim.C:
			b.keepRoom()
			continue
		case <-ticker.C:
		}
		if err := b.collect(ctx); err != nil {
			b.log.Warn("large values could not be moved together; it is tried again", "directory", b.dir, "error", err)
		}
	}
}
