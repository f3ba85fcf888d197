package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
)

// On a full disk a commit must fail before Badger begins it: a Badger that cannot
// begin its next log ends the process, and one whose tables find no room lets
// writers wait without an end. So the next log of the memtable is made, with its
// space, before the one in use can be full. And a file of the size of a table is
// kept, which is given up when there is no room for a table otherwise: what was
// committed can always leave its log.
const (
	// logShare is the most that a log holds, in hundredths of a memtable: a memtable
	// that is nearly full, and one transaction (15 hundredths, and 4 for the headers
	// of small entries). The table that is made of it is not larger.
	logShare = 125
	// nextName is the next log until it is needed, when it gets its number.
	nextName = "NEXT"
	// reserveName is the file that is given up for a table.
	reserveName = "RESERVE"
	// reserveMore is what a start needs beside: the files of Badger's value log.
	reserveMore = 1 << 20
	// entryBytes is the most that Badger adds to key and value of an entry: in the log
	// some 20 bytes, in memory, where a node of the list has 20 bytes and one and a half
	// links of 4 bytes on an average, less than this over the many of a memtable.
	entryBytes = 48
	// logParts are the parts in which a log is allocated where there is little room. A
	// transaction fits into one.
	logParts = 4
	// logSlack is in a log beside its entries: its header, and the blank one after them.
	logSlack = 4 << 10
	// manifestRoom is allocated behind the end of Badger's MANIFEST, which it appends
	// to with every table. A record that was cut off by a full disk would damage it.
	manifestRoom = 64 << 10
	// retryPause is what a table waits for which there is no room: Badger tries again
	// at once, and builds it anew each time.
	retryPause = time.Second
	// tablePause is between two looks whether a table is written.
	tablePause = 5 * time.Millisecond
	// stuckFor is how long a table that found no room is taken for a sign of a full disk.
	stuckFor = 5 * time.Second
	// mostUnwritten memtables may wait for their tables: one is being written, and one in
	// Badger's queue. A third would let a commit, or a start, wait.
	mostUnwritten = 2
)

// noRoom is when something last found no room, by directory.
type noRoom struct{ at sync.Map }

// Of the tables of memtables, and of those of compactions.
var tableNoRoom, compactionNoRoom noRoom

func (n *noRoom) note(dir string) { n.at.Store(dir, time.Now()) }

// since reports whether that was after a time.
func (n *noRoom) since(dir string, after time.Time) bool {
	at, ok := n.at.Load(dir)
	return ok && at.(time.Time).After(after)
}

// memtableOf is the size of the memtables, by directory.
var memtableOf sync.Map

// leavesRoom reports whether so many bytes for a compaction leave room for the log, and
// for the table of a memtable where nothing is kept for that.
func leavesRoom(dir string, bytes int64) bool {
	free, known := freeSpace(dir)
	memtable, opened := memtableOf.Load(dir)
	if !known || !opened {
		return true
	}
	log := logBytes(memtable.(int64))
	need := 2 * log / logParts
	if _, err := os.Stat(filepath.Join(dir, reserveName)); err != nil {
		need += log
	}
	return free-bytes >= need
}

// room is what a Badger directory still has space for. The writer uses it.
type room struct {
	dir      string // As the system names it.
	memtable int64
	used     int64 // Bytes of the memtable in use, at most.
	log      int   // Number of its log.
	has      int64 // Bytes that are allocated for that.
	next     int64 // Likewise for the log after it, 0 while that is not made.
	placed   bool  // The log after it has its number.
	none     bool  // Nothing is allocated here: the file system cannot, or was told not to.
	keep     bool  // The file is kept that is given up for a table.
}

// openRoom prepares for the writing of a directory that Badger has just opened.
func openRoom(dir string, memtable int64, keep bool) (*room, error) {
	r := &room{dir: realDir(dir), memtable: memtable, keep: keep, has: logBytes(memtable)}
	memtableOf.Store(r.dir, memtable)
	id, _, err := findNewestLog(dir)
	if err != nil {
		return nil, err
	}
	r.log = id
	if r.none = id < 0; !r.none {
		info, err := os.Stat(logPath(dir, id))
		if err != nil {
			return nil, err
		}
		r.has = min(r.has, allocatedBytes(info))
		r.none = r.has == 0
	}
	if err := r.prepareEarly(); err != nil {
		return nil, err
	}
	return r, nil
}

// realDir returns the name of a directory as the system tells it of open files.
func realDir(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	return abs
}

// logBytes is the most that a log of a memtable, or its table, takes.
func logBytes(memtable int64) int64 { return memtable * logShare / 100 }

// keptBytes is the size of the file that is given up for a table.
func keptBytes(memtable int64) int64 { return logBytes(memtable) + reserveMore }

// part is how much of a log is allocated at a time: on a disk that is nearly full less
// than all of it, since a table may need the rest, and what gives back space is small.
func (r *room) part(free int64) int64 {
	if free < 2*logBytes(r.memtable) {
		return logBytes(r.memtable) / logParts
	}
	return logBytes(r.memtable)
}

// prepare allocates what is missing: the next log, room for MANIFEST, and the file
// that is given up for a table.
func (r *room) prepare() error {
	free, known := freeSpace(r.dir)
	if r.none || !known {
		return nil
	}
	if r.next == 0 {
		part := r.part(free)
		known, err := makeFile(filepath.Join(r.dir, nextName), part)
		if err != nil {
			return err
		}
		if r.none = !known; r.none {
			return nil
		}
		r.next = part
	}
	if err := r.growManifest(); err != nil {
		return err
	}
	kept := filepath.Join(r.dir, reserveName)
	if _, err := os.Stat(kept); !r.keep || err == nil {
		return nil
	}
	if free < keptBytes(r.memtable)+2*logBytes(r.memtable) { // A table comes first.
		return nil
	}
	_, err := makeFile(kept, keptBytes(r.memtable))
	return err
}

// grow allocates more of the log in use, for bytes that are to be written.
func (r *room) grow(bytes, free int64) error {
	most := logBytes(r.memtable)
	err := r.growTo(min(most, r.has+max(r.part(free), bytes)))
	if isNoSpace(err) {
		err = r.growTo(min(most, r.used+bytes+logSlack))
	}
	if isNoSpace(err) {
		return errFull(free, r.used+bytes+logSlack-r.has)
	}
	return err
}

func (r *room) growTo(bytes int64) error {
	f, err := os.OpenFile(logPath(r.dir, r.log), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err = allocateBehind(f, bytes); err == nil {
		r.has = bytes
	}
	return errors.Join(err, f.Close())
}

// prepareEarly is prepare before anything of it is needed: what the disk has no room
// for is tried again then. The table of the log before comes first.
func (r *room) prepareEarly() error {
	if free, known := freeSpace(r.dir); !known || free < 2*logBytes(r.memtable) {
		return nil
	}
	if err := r.prepare(); err != nil && !isNoSpace(err) {
		return fmt.Errorf("make the next log: %w", err)
	}
	return nil
}

// makeFile makes an empty file with space behind its end, which Badger finds there
// when it makes the file longer.
func makeFile(name string, bytes int64) (known bool, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	known, err = allocateBehind(f, bytes)
	err = errors.Join(err, f.Close())
	if !known || err != nil {
		err = errors.Join(err, os.Remove(name))
	}
	return known, err
}

func (r *room) growManifest() error {
	f, err := os.OpenFile(filepath.Join(r.dir, badger.ManifestFilename), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = allocateBehind(f, info.Size()+manifestRoom)
	}
	return errors.Join(err, f.Close())
}

// check refuses a commit of so many bytes that there is no room for in the log, or in
// the next one. free is the space of the disk.
func (r *room) check(bytes, free int64) error {
	if r.none {
		return nil
	}
	if r.used+bytes+logSlack > r.has && r.has < logBytes(r.memtable) {
		if err := r.grow(bytes, free); err != nil {
			return err
		}
	}
	if r.used < r.memtable {
		return nil
	}
	if err := r.place(free); err != nil {
		return err
	}
	if free > (mostUnwritten+1)*logBytes(r.memtable) && !tableNoRoom.since(r.dir, time.Now().Add(-stuckFor)) {
		return nil
	}
	return r.awaitTables()
}

// awaitTables returns when no more than mostUnwritten memtables will wait for their
// tables, and refuses the commit when those that wait find no room.
func (r *room) awaitTables() error {
	for begun := time.Now(); ; time.Sleep(tablePause) {
		logs, err := usedLogs(r.dir)
		if err != nil {
			return fmt.Errorf("list logs: %w", err)
		}
		if len(logs) < mostUnwritten { // One of them is in use. After a kill it waits, too.
			return nil
		}
		if tableNoRoom.since(r.dir, begun) || time.Since(begun) > stuckFor {
			free, _ := freeSpace(r.dir)
			return errFull(free, logBytes(r.memtable))
		}
	}
}

// place gives the next log its number, by which Badger finds it.
func (r *room) place(free int64) error {
	if r.placed {
		return nil
	}
	err := r.prepare()
	if isNoSpace(err) && os.Remove(filepath.Join(r.dir, reserveName)) == nil {
		err = r.prepare() // What is left of it is for the table.
	}
	switch {
	case r.next == 0 && isNoSpace(err):
		return errFull(free, r.part(free))
	case r.next == 0 && err != nil:
		return fmt.Errorf("make the next log: %w", err)
	case r.none, r.next == 0:
		return nil
	}
	if err := os.Rename(filepath.Join(r.dir, nextName), logPath(r.dir, r.log+1)); err != nil {
		return fmt.Errorf("name the next log: %w", err)
	}
	r.placed = true
	return nil
}

func errFull(free, need int64) error {
	return kalam.Errorf(kalam.CodeResourceExhausted,
		"the disk of the write buffer is full: %s are free, %s are needed; "+
			"drop a table or free space on the disk, then try again", mebibytes(free), mebibytes(need))
}

// mebibytes words a number of bytes.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// wrote notes a commit.
func (r *room) wrote(bytes int64) error {
	r.used += bytes
	if !r.placed {
		return nil
	}
	switch info, err := os.Stat(logPath(r.dir, r.log+1)); {
	case err != nil:
		return fmt.Errorf("look for the next log: %w", err)
	case info.Size() == 0:
		return nil
	}
	r.log++
	r.used, r.has, r.next, r.placed = bytes, r.next, 0, false
	return r.prepareEarly()
}

// close removes the log that was made and is not in use.
func (r *room) close() error {
	if r == nil || r.next == 0 {
		return nil
	}
	name := filepath.Join(r.dir, nextName)
	if r.placed {
		name = logPath(r.dir, r.log+1)
	}
	r.next, r.placed = 0, false
	return removeIfThere(name)
}

// usedLogs returns the logs that are not empty.
func usedLogs(dir string) (logs []os.FileInfo, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != memtableSuffix {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // Its table is written.
		}
		if err != nil {
			return nil, err
		}
		if info.Size() > 0 {
			logs = append(logs, info)
		}
	}
	return logs, nil
}

// refill makes what was given up, or not made, for lack of room: the next log once the
// table of the one before is written, and the file that is kept for a table.
func (r *room) refill() error {
	if r.next == 0 && !r.none {
		if logs, err := usedLogs(r.dir); err != nil || len(logs) > 1 {
			return err
		}
		if err := r.prepare(); err != nil && !isNoSpace(err) {
			return err
		}
		return nil
	}
	if _, err := os.Stat(filepath.Join(r.dir, reserveName)); err == nil || !r.keep {
		return nil
	}
	return r.prepareEarly()
}

// canRotate reports whether a log may be filled without need: there is room for the
// next one, and for the table, afterwards.
func (r *room) canRotate() bool {
	free, known := freeSpace(r.dir)
	log := logBytes(r.memtable)
	return known && !r.none && (free >= 2*log || r.next == log && r.kept() > 0 && free >= log/2)
}

// canRotateAnyway is canRotate that also trusts a disk where nothing can be allocated.
func (r *room) canRotateAnyway() bool {
	if !r.none {
		return r.canRotate()
	}
	free, known := freeSpace(r.dir)
	return !known || free >= 2*logBytes(r.memtable)
}

// rotated reports whether the log is not in use any more into which so many bytes were
// written. Where Badger makes its logs itself, which one is in use is not known; it is full
// when a memtable was written.
func (r *room) rotated(log int, written int64) bool {
	if r.none {
		return written > r.memtable
	}
	return r.log != log
}

// kept returns the space of the file that is given up for a table.
func (r *room) kept() int64 {
	if info, err := os.Stat(filepath.Join(r.dir, reserveName)); err == nil {
		return allocatedBytes(info)
	}
	return 0
}
