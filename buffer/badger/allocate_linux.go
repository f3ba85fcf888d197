package badger

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "unsafe" // For go:linkname.

	"golang.org/x/sys/unix"
)

// Badger makes each of its files with the full length and no content, maps it, and
// copies into the mapped memory. Where the disk has no room for a page that is
// touched, the system ends the process with SIGBUS. So the space of a new file is
// allocated when it is mapped: a full disk then is an error, which Badger returns
// or tries again over.
//
// Badger maps by unix.Mmap and offers no seam before it; what that calls is a
// variable of its package, which is replaced here. TestMappedFilesAreAllocated
// fails if it is not.

// mmapper is the beginning of unix.mremapMmapper.
type mmapper struct {
	sync.Mutex
	_    map[*byte][]byte
	mmap func(addr, length uintptr, prot, flags, fd int, offset int64) (uintptr, error)
	_    func(addr, length uintptr) error
}

//go:linkname mapper golang.org/x/sys/unix.mapper
var mapper *mmapper

func init() {
	mmap := mapper.mmap
	mapper.mmap = func(addr, length uintptr, prot, flags, fd int, offset int64) (uintptr, error) {
		if prot&unix.PROT_WRITE != 0 && flags&unix.MAP_SHARED != 0 && fd >= 0 && offset == 0 {
			if err := allocateMapped(fd, int64(length)); err != nil {
				return 0, err
			}
		}
		return mmap(addr, length, prot, flags, fd, offset)
	}
}

// allocateMapped allocates the space of a file that Badger has just made.
func allocateMapped(fd int, length int64) error {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Blocks > 0 {
		return nil //nolint:nilerr // What is no new file needs no space.
	}
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return nil //nolint:nilerr // Without /proc there is only the reserve.
	}
	switch {
	case strings.HasSuffix(name, memtableSuffix):
		err = allocateLog(fd, length/2*logShare/100) // Badger makes it of twice the memtable.
	case strings.HasSuffix(name, tableSuffix) && isCompaction():
		awaitRoom(fd, filepath.Dir(name), length)
		return nil
	case strings.HasSuffix(name, tableSuffix):
		err = allocateTable(fd, name, length)
	case strings.HasSuffix(name, valueLogSuffix), filepath.Base(name) == discardName:
		err = allocateAtStart(fd, filepath.Dir(name), length)
	}
	if isNoSpace(err) {
		return err
	}
	return nil // A file system that cannot allocate has the reserve only.
}

// allocateLog allocates the log of a memtable, or the first part of it: room
// allocates more.
func allocateLog(fd int, length int64) error {
	err := allocate(fd, 0, length)
	if isNoSpace(err) {
		err = allocate(fd, 0, length/logParts)
	}
	return err
}

// allocateAtStart allocates a file of the value log, which Badger makes at a start. The
// tables of the logs that a crash left are written beside it; they give back those.
func allocateAtStart(fd int, dir string, length int64) error {
	err := allocate(fd, 0, length)
	if isNoSpace(err) && os.Remove(filepath.Join(dir, reserveName)) == nil {
		err = allocate(fd, 0, length)
	}
	for begun := time.Now(); isNoSpace(err) && time.Since(begun) < stuckFor; {
		time.Sleep(tablePause)
		err = allocate(fd, 0, length)
	}
	return err
}

// allocateTable allocates the table of a memtable, for which the reserve is given up.
// Badger tries again, with another number, and would leave behind what it has made.
func allocateTable(fd int, name string, length int64) error {
	dir := filepath.Dir(name)
	err := allocate(fd, 0, length)
	if isNoSpace(err) && os.Remove(filepath.Join(dir, reserveName)) == nil {
		err = allocate(fd, 0, length)
	}
	if isNoSpace(err) {
		tableNoRoom.note(dir)
		err = errors.Join(err, syscall.Ftruncate(fd, 0), os.Remove(name))
		time.Sleep(retryPause)
	}
	return err
}

// awaitRoom allocates the table of a compaction, and waits until there is room for it.
// It must not fail: Badger would take the compaction for done, remove the tables that
// it was to replace, and lose what is in them.
func awaitRoom(fd int, dir string, length int64) {
	for !leavesRoom(dir, length) || isNoSpace(allocate(fd, 0, length)) {
		compactionNoRoom.note(dir)
		// What was allocated in part is given back. The length stays. If it fails the part
		// is kept, which the next try allocates anyway.
		_ = syscall.Ftruncate(fd, 0)
		for syscall.Ftruncate(fd, length) != nil {
			time.Sleep(retryPause)
		}
		time.Sleep(retryPause / 10)
	}
}

// isCompaction reports whether a table is made by a compaction of Badger, and not from
// a memtable.
func isCompaction() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, ".handleMemTableFlush") {
			return false
		}
		if !more {
			return true
		}
	}
}
