package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/kalamlake/kalam/lake"
)

// folders makes, syncs and prunes the folders of a storage.
type folders struct {
	root *os.Root
	hook func(step, path string)

	// mu serialises making and pruning folders, the system calls included: a
	// folder must not vanish between being made and being pinned.
	mu sync.Mutex
	// pinned counts the open staged objects of each folder; a pinned folder is not pruned.
	pinned map[string]int
	// durable holds folders whose own name is known to be on disk. It is
	// bounded; forgetting only costs a sync.
	durable map[string]struct{}
}

const maxDurableFolders = 4096

// pin creates folder and what is missing above it and keeps it until unpin. Its
// name is made durable by the syncNames of the commit that follows.
func (f *folders) pin(folder string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if folder != "." && f.pinned[folder] == 0 { // A pinned folder is there.
		if err := f.root.MkdirAll(folder, folderMode); err != nil {
			return explain("create folder", folder, err)
		}
	}
	if f.pinned == nil {
		f.pinned = make(map[string]int)
	}
	f.pinned[folder]++
	return nil
}

func (f *folders) unpin(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pinned[folder]--; f.pinned[folder] <= 0 {
		delete(f.pinned, folder)
	}
}

// prune removes folder and its parents as long as they are empty and unpinned.
func (f *folders) prune(folder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ; folder != "." && f.pinned[folder] == 0; folder = path.Dir(folder) {
		if err := f.root.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // not empty, as a rule
		}
		delete(f.durable, folder)
	}
}

// syncNames makes the names inside folders durable and, the first time that this
// process uses one, its own name and those above it too: an earlier process may
// have made the folder without a sync. sync syncs folders.
func (f *folders) syncNames(folders []string, sync func(folders []string) error) error {
	var all, fresh []string
	seen := make(map[string]struct{}, len(folders))
	for _, folder := range folders {
		for {
			if _, ok := seen[folder]; ok {
				break
			}
			seen[folder] = struct{}{}
			all = append(all, folder)
			if folder == "." || f.isDurable(folder) {
				break
			}
			fresh = append(fresh, folder)
			folder = path.Dir(folder)
		}
	}
	if err := sync(all); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.durable == nil || len(f.durable)+len(fresh) > maxDurableFolders {
		f.durable = make(map[string]struct{})
	}
	for _, folder := range fresh {
		f.durable[folder] = struct{}{}
	}
	return nil
}

// syncNamesOf is syncNames of one folder.
func (f *folders) syncNamesOf(folder string) error {
	return f.syncNames([]string{folder}, func(folders []string) error { return syncEach(folders, f.sync) })
}

func (f *folders) isDurable(folder string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.durable[folder]
	return ok
}

func (f *folders) sync(folder string) error {
	d, err := f.root.Open(folder)
	if err != nil {
		return explain("open folder", folder, err)
	}
	if err := errors.Join(syncFolder(d), d.Close()); err != nil {
		return explain("sync folder", folder, err)
	}
	f.hook("settled", folder)
	return nil
}

// settleRemoval makes it durable that a name in folder is gone, or that folder is.
func (f *folders) settleRemoval(folder string) error {
	for ; folder != "."; folder = path.Dir(folder) {
		if _, err := f.root.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	err := f.sync(folder)
	if errors.Is(err, lake.ErrNotExist) {
		return nil // Pruned meanwhile; whoever did that syncs, or an orphan comes back.
	}
	return err
}
