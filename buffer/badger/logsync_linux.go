package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// syncsItself says that commits are synced by logSync instead of by Badger, which
// syncs its value log each time too: a second flush of the disk for a file in
// which we store nothing. docs/architecture/adrs/003 has the figures.
const syncsItself = true

// logSync makes what Badger wrote to its memtable logs durable. Badger numbers
// the logs upwards, writes to the newest only, begins a new one inside of a
// commit, and removes one once its table is on disk, the oldest first. It is used
// under the lock of the writer.
type logSync struct {
	dir  string
	id   int // Of the log that is open.
	file *os.File
	// watch tells of names that come and go in dir, and of files that get longer, as
	// the next log does when Badger begins it; -1 if the system gives none. A look for
	// the next log after every commit would cost a small one several hundredths of its
	// time.
	watch  int
	events [4 << 10]byte
}

func openLogSync(dir string) (*logSync, error) {
	l := &logSync{dir: dir, watch: watchFolder(dir)}
	return l, l.openNewest()
}

// watchFolder returns an inotify descriptor, or -1.
func watchFolder(dir string) int {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		return -1
	}
	const names = syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO
	const lengths = syscall.IN_MODIFY // Also of writes, but not of those to mapped memory.
	if _, err := syscall.InotifyAddWatch(fd, dir, names|lengths|syscall.IN_ONLYDIR); err != nil {
		_ = syscall.Close(fd) // Nothing was written to it.
		return -1
	}
	return fd
}

// changed reports whether the next log may have been begun, or one be gone, since it
// was last asked.
// The kernel queues an event before the call that causes it returns.
func (l *logSync) changed() bool {
	if l.watch < 0 {
		return true
	}
	// It never blocks, so the scheduler need not hear of it.
	//nolint:gosec // A system call that package syscall has no function for without the scheduler.
	_, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(l.watch),
		uintptr(unsafe.Pointer(&l.events)), unsafe.Sizeof(l.events))
	return errno != syscall.EAGAIN
}

// openNewest opens the log with the highest number.
func (l *logSync) openNewest() error {
	newest, _, err := findNewestLog(l.dir)
	if err != nil {
		return fmt.Errorf("list logs: %w", err)
	}
	if newest < 0 {
		return fmt.Errorf("no log in %s", l.dir)
	}
	return l.open(newest)
}

func (l *logSync) open(id int) error {
	f, err := os.OpenFile(l.path(id), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	switch info, err := f.Stat(); {
	case err != nil:
		return errors.Join(err, f.Close())
	case info.Size() == 0: // It is made for later.
		return errors.Join(fs.ErrNotExist, f.Close())
	}
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	l.id, l.file = id, f
	if err := syncFolder(l.dir); err != nil { // The new name.
		return err
	}
	// On a full disk the note before stays, which asks for less.
	if err := noteWriting(l.dir); err != nil && !isNoSpace(err) {
		return fmt.Errorf("note the newest log: %w", err)
	}
	return nil
}

func (l *logSync) path(id int) string { return logPath(l.dir, id) }

// sync returns when everything that was committed before is on disk. look says that
// Badger may have begun the next log, whatever the system tells.
func (l *logSync) sync(look bool) error {
	for {
		if err := syscall.Fdatasync(int(l.file.Fd())); err != nil {
			return fmt.Errorf("sync log %d: %w", l.id, err)
		}
		if !l.changed() && !look {
			return nil
		}
		moved, err := l.advance()
		if err != nil || !moved {
			return err
		}
	}
}

// advance opens the log after the one that is open, if Badger has begun it.
func (l *logSync) advance() (moved bool, err error) {
	switch err := l.open(l.id + 1); {
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("open log: %w", err)
	}
	// Not Stat: a file whose times were asked for gets a new one with the next
	// write, which is a write of the inode with every sync.
	switch err := syscall.Access(l.path(l.id), 0); {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("look for log %d: %w", l.id, err)
	}
	// Removed: more than one log was begun since, and their tables are on disk.
	if err := l.openNewest(); err != nil {
		return false, err
	}
	return true, nil
}

func (l *logSync) close() error {
	if l == nil {
		return nil
	}
	var err error
	if l.watch >= 0 {
		err = syscall.Close(l.watch)
	}
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	return err
}
