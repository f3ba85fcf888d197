package badger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

const (
	// collectEvery is the interval of the collection of the value log, and
	// collectBytes how much is written to it until one comes earlier.
	collectEvery = 5 * time.Minute
	collectBytes = 512 << 20
	// discardRatio is the dead part of a value log file from which its live part
	// is copied and the file removed.
	discardRatio = 0.5

	rotatePoll  = 10 * time.Millisecond
	rotatePolls = 500
)

// garbage estimates what a collection could give back.
type garbage struct {
	mu      sync.Mutex // guards what follows
	large   int64      // Bytes written to the value log since the last collection.
	deleted int64      // Keys deleted since.
	wake    chan struct{}
}

// wrote counts a batch.
func (g *garbage) wrote(large, deleted int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.large += large
	g.deleted += deleted
	if g.large >= collectBytes && g.deleted > 0 && g.wake != nil {
		close(g.wake)
		g.wake = nil
	}
}

// take returns how many keys were deleted since the last call.
func (g *garbage) take() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.deleted
	g.large, g.deleted = 0, 0
	return n
}

// signal returns a channel that is closed when a collection should come early.
func (g *garbage) signal() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wake == nil {
		g.wake = make(chan struct{})
	}
	return g.wake
}

// collectLoop collects the value log until Close.
func (b *Backend) collectLoop() {
	defer b.work.Done()
	ticker := time.NewTicker(collectEvery)
	defer ticker.Stop()
	for {
		select {
		case <-b.quit:
			return
		case <-ticker.C:
		case <-b.garbage.signal():
		}
		// The value log that is being written to is never collected.
		if b.garbage.take() == 0 || b.files(".vlog") < 2 {
			continue
		}
		if err := b.collect(context.Background()); err != nil {
			b.log.Warn("the value log could not be collected; it is tried again", "directory", b.dir, "error", err)
		}
	}
}

// files counts the files of the directory with a suffix.
func (b *Backend) files(suffix string) int {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			n++
		}
	}
	return n
}

// collect gives back the space of values that were deleted or replaced. Badger
// learns of dead values when it compacts, and compacts what has left the
// memtable: so the memtable is filled up first, which costs its size in writing.
// It ends early at Close.
func (b *Backend) collect(ctx context.Context) error {
	b.collecting.Lock()
	defer b.collecting.Unlock()
	if err := b.rotate(ctx); err != nil {
		return err
	}
	if err := b.db.Flatten(1); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	for {
		if err := b.goesOn(ctx); err != nil {
			return err
		}
		err := b.db.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("collect the value log: %w", err)
		}
	}
}

func (b *Backend) goesOn(ctx context.Context) error {
	select {
	case <-b.quit:
		return kalam.Errorf(kalam.CodeShuttingDown, "the write buffer is closed")
	default:
		return ctx.Err()
	}
}

// rotate fills the memtable, so that Badger begins another, and waits until the
// full one is a table.
func (b *Backend) rotate(ctx context.Context) error {
	scratch := []byte{keyScratch}
	filler := make([]byte, largeValue-1)
	const together = 32
	for written := int64(0); written <= b.opts.MemtableBytes; written += together * largeValue {
		if err := b.goesOn(ctx); err != nil {
			return err
		}
		if err := b.writable([]buffer.Op{{Value: filler}}); err != nil {
			return err
		}
		txn := b.db.NewTransaction(true)
		for i := range together {
			if err := txn.Set(append(scratch, byte(i)), filler); err != nil {
				txn.Discard()
				return batchError(err)
			}
		}
		if err := b.commit(txn); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(rotatePoll)
	defer ticker.Stop()
	for range rotatePolls {
		if b.files(".mem") <= 1 {
			return nil
		}
		if err := b.goesOn(ctx); err != nil {
			return err
		}
		<-ticker.C
	}
	return nil // Badger is busy; the next collection finds the table.
}
