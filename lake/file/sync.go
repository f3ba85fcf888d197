package file

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/lake"
)

const (
	// syncTogether is the number of files or folders from which on they are synced
	// together: by one sync of the file system, or side by side.
	syncTogether = 8
	// syncParallel is how many files or folders are synced side by side where the
	// file system cannot be synced as a whole.
	syncParallel = 32
)

// wholeSync syncs the file system of a storage, where that is known to be as good
// as a sync of each file.
type wholeSync struct {
	// root is open from before anything is written: the system reports an error of
	// writing back once to each descriptor that was open when it happened. nil: the
	// file system cannot be synced as a whole.
	root   *os.File
	device uint64 // Of root.

	mu sync.Mutex // Serialises syncs; guards failures.
	// failures counts the syncs that failed. An error of the system names no file,
	// so that it may concern everything that was not synced yet.
	failures int
}

// open prepares the sync of the file system of the directory dir.
func (w *wholeSync) open(dir string) error {
	if !canSyncWhole(dir) {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("storage directory %s: %w", dir, lake.WithoutName(err))
	}
	w.root = d
	w.device, _ = deviceOf(dir)
	return nil
}

// holds reports whether the folder dir is in the file system.
func (w *wholeSync) holds(dir string) bool {
	device, ok := deviceOf(dir)
	return ok && device == w.device
}

func (w *wholeSync) close() error {
	if w.root == nil {
		return nil
	}
	return w.root.Close()
}

// mark is to be taken before the first write of what a later sync is for.
func (w *wholeSync) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failures
}

// sync makes durable all that was written since mark. It fails as well when the sync
// of somebody else has failed since: that one got the only report of the error.
func (w *wholeSync) sync(mark int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := syncFileSystem(w.root)
	if err != nil {
		w.failures++
		return lake.WithoutName(err)
	}
	if w.failures != mark {
		return errors.New("the file system could not write everything")
	}
	return nil
}

// syncEach calls sync for each name and returns the first error. Few are synced in
// their order, many side by side.
func syncEach(names []string, sync func(name string) error) error {
	if len(names) < syncTogether {
		for _, name := range names {
			if err := sync(name); err != nil {
				return err
			}
		}
		return nil
	}
	var g errgroup.Group
	g.SetLimit(syncParallel)
	for _, name := range names {
		g.Go(func() error { return sync(name) })
	}
	return g.Wait()
}
