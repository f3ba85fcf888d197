package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// A server that is killed while it starts a process holds its lock, shared with that, until the new
// program runs: some ms, on a busy machine more. For so long Lock tries again.
const (
	lockPatience = time.Second
	lockPause    = 5 * time.Millisecond
)

// maxHolder bounds what is read of who holds a lock.
const maxHolder = 4096

// Lock keeps other processes, and other Storages of this one, from the root until
// Close. holder is one line that tells them who has it, for instance the directory
// of the write buffer. The system lets go of the lock when the process ends,
// however it ends, or a moment later. A root that stays locked for a second is CodeInvalidOperation, and the error
// quotes the holder. A file system without locks is refused too.
func (s *Storage) Lock(holder string) error {
	if s.lock != nil {
		return fmt.Errorf("storage directory %s is locked already", s.dir)
	}
	if err := s.root.Mkdir(layout.OwnFolder, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return s.cannotLock(err)
	}
	name := filepath.Join(s.dir, filepath.FromSlash(layout.LockPath))
	l, err := openLock(name)
	for end := time.Now().Add(lockPatience); errors.Is(err, errLocked) && time.Now().Before(end); l, err = openLock(name) {
		time.Sleep(lockPause)
	}
	if errors.Is(err, errLocked) {
		return s.inUse(name)
	}
	if err != nil {
		return s.cannotLock(err)
	}
	s.lock = l
	if err := l.announce(holder); err != nil {
		return s.cannotLock(errors.Join(err, s.unlock()))
	}
	return nil
}

// Locked reports whether another process, or another Storage of this one, has the
// root locked, as Lock does, but makes no file.
func (s *Storage) Locked() error {
	name := filepath.Join(s.dir, filepath.FromSlash(layout.LockPath))
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) || s.lock != nil {
		return nil
	}
	l, err := openLock(name)
	if errors.Is(err, errLocked) {
		return s.inUse(name)
	}
	if err != nil {
		return s.cannotLock(err)
	}
	return l.Close()
}

// inUse is the error of a root whose lock file, name, another process has.
func (s *Storage) inUse(name string) error {
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"storage directory %s is used by another process, %s; "+
			"stop that one, or give this server a storage directory of its own", s.dir, holderOf(name))
}

// cannotLock is the error of a root in which the lock file cannot be made or locked.
func (s *Storage) cannotLock(err error) error {
	return kalam.Wrap(kalam.CodeInvalidInput, err,
		"storage directory %s cannot be locked; a server needs to write to it: check its permissions and its mount",
		s.dir)
}

func (s *Storage) unlock() error {
	if s.lock == nil {
		return nil
	}
	l := s.lock
	s.lock = nil
	return l.Close()
}

// holderOf returns what the holder of a lock announced.
func holderOf(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return "which does not say who it is"
	}
	defer f.Close() //nolint:errcheck // It was only read.
	b, err := io.ReadAll(io.LimitReader(f, maxHolder))
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" {
		return "which does not say who it is"
	}
	return text
}
