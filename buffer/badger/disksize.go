package badger

import (
	"os"
	"path/filepath"

	"github.com/kalamlake/kalam"
)

const (
	// smallMemtable is the least that is chosen for a small disk.
	smallMemtable = 1 << 20
	// diskShare is how many default memtables a disk has room for at least; on a
	// smaller one they are smaller.
	diskShare = 32
)

// chooseMemtable returns the size of the memtable for a directory: the default, and
// less on a small disk. The logs that a crash left are read back into memtables of
// that size, so it is not less than what they were written with.
func chooseMemtable(dir string) (int64, error) {
	size := int64(defaultMemtable)
	if total, known := diskBytes(dir); known {
		size = min(size, max(smallMemtable, total/diskShare))
	}
	logs, err := usedLogs(dir)
	if err != nil {
		return 0, unreadable(dir, err)
	}
	if len(logs) == 0 || size == defaultMemtable {
		return size, nil
	}
	note, found, err := readLogNote(dir)
	if err != nil {
		return 0, badFile(dir, logNote, err)
	}
	if !found || note.bytes == 0 {
		return defaultMemtable, nil
	}
	return max(size, note.bytes/2), nil // Badger makes a log of twice the memtable.
}

// checkRoomToOpen refuses to open a directory on a disk that is too full for it:
// Badger makes a log and a value log, and tables of the logs that a crash left. A log
// goes when its table is there, and first loses what is allocated behind its end.
func checkRoomToOpen(dir string, memtable int64) error {
	free, known := freeSpace(dir)
	if !known {
		return nil
	}
	logs, err := usedLogs(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	need := logBytes(memtable) + 2*valueLogBytes
	var largest int64
	for _, info := range logs {
		n, err := logContent(filepath.Join(dir, info.Name()))
		if err != nil {
			return unreadable(dir, err)
		}
		largest = max(largest, n)
		if has, known := allocatedBytes(info); known {
			free += max(0, has-n)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, reserveName)); err == nil {
		if has, known := allocatedBytes(info); known {
			free += has
		}
	}
	if info, err := os.Stat(filepath.Join(dir, discardName)); err != nil || info.Size() == 0 {
		need += reserveMore
	}
	if need += largest; free < need {
		return kalam.Errorf(kalam.CodeResourceExhausted, "data directory %s cannot be opened: the disk is full: "+
			"%s are free, %s are needed; free space on the disk, then start again",
			dir, mebibytes(free), mebibytes(need))
	}
	return nil
}
