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
	// discardBytes is the size of a file of Badger's value log.
	discardBytes = 1 << 20
	// openSlack is for the small files of a start.
	openSlack = 256 << 10
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

// checkRoomToOpen refuses to open a directory on a disk that is too full for it: Badger
// makes a log and a value log, and cannot begin while more than mostUnwritten of the
// logs that a crash left find no room for their tables. What is allocated behind the
// end of a log, or of a value log, is given back before.
func checkRoomToOpen(dir string, memtable int64) error {
	now, known := freeSpace(dir)
	if !known {
		return nil
	}
	free := now
	logs, err := usedLogs(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	var largest int64
	for _, info := range logs {
		n, err := logContent(filepath.Join(dir, info.Name()))
		if err != nil {
			return unreadable(dir, err)
		}
		largest = max(largest, n)
		free += max(0, allocatedBytes(info)-n)
	}
	need := logBytes(memtable)/logParts + 2*valueLogBytes + openSlack
	if len(logs) > mostUnwritten {
		need += largest
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	begun := false
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return unreadable(dir, err)
		}
		switch {
		case e.Name() == reserveName, filepath.Ext(e.Name()) == valueLogSuffix:
			free += allocatedBytes(info)
		case e.Name() == discardName:
			begun = info.Size() > 0
		}
	}
	if !begun {
		need += discardBytes
	}
	if free < need {
		return errNoRoomToOpen(dir, free, need)
	}
	if now < need { // It is kept for this.
		return removeIfThere(filepath.Join(dir, reserveName))
	}
	return nil
}

func errNoRoomToOpen(dir string, free, need int64) error {
	return kalam.Errorf(kalam.CodeResourceExhausted, "data directory %s cannot be opened: the disk is full: "+
		"%s are free, %s are needed; free space on the disk, then start again", dir, mebibytes(free), mebibytes(need))
}
