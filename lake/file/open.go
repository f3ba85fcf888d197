package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// New opens the storage in the directory dir, which is created when missing.
// Close releases it.
func New(dir string) (*Storage, error) { return Open(dir, Options{}) }

// Open is New with options.
func Open(dir string, o Options) (*Storage, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("storage directory %s: %w", dir, err)
	}
	if o.Existing {
		if _, err := os.Stat(abs); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("storage directory %s: %w", dir, lake.ErrNotExist)
		}
	} else if err := makeRoot(abs); err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "storage directory %s cannot be created", dir)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err,
			"storage directory %s cannot be opened; nothing was changed; check its permissions and what is "+
				"mounted there", dir)
	}
	hook := o.Hook
	if hook == nil {
		hook = func(string, string) {}
	}
	s := &Storage{root: root, dir: abs, hook: hook, folders: folders{root: root, hook: hook}}
	if !o.SyncEach {
		if err := s.whole.open(abs); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return s, nil
}

// makeRoot creates dir and what is missing above it, durably.
func makeRoot(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeRoot(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(parent), parent.Close())
}

// Close releases the directory and its lock. No other method may be called
// afterwards.
func (s *Storage) Close() error { return errors.Join(s.whole.close(), s.root.Close(), s.unlock()) }
