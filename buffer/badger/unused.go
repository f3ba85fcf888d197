package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

const (
	valueLogSuffix = ".vlog"
	// valueLogBytes is Badger's limit of a value log. One that is in use is twice as
	// long; a clean close cuts it to what it holds.
	valueLogBytes = 1 << 20
)

// logFiles are the logs in a directory.
type logFiles struct {
	empty    []string // Of no bytes.
	memtable string   // The first empty one of a memtable, "" if there is none.
	others   int      // Logs of memtables that are not empty.
	newest   string   // The last of those, "" if there is none.
	open     bool     // The newest value log is as long as only an open store has it.
}

// removeUnusedLogs removes the empty logs that a kill leaves: one that was made for
// later, or between the two calls by which Badger makes one, create, and extend to
// full length. Nothing was ever written to them. Badger would refuse to open them, and
// extend them as it does.
//
// The log of a memtable may also be empty because it lost what it held. That is
// damage, and nothing is changed then.
func removeUnusedLogs(dir string, log *slog.Logger) error {
	logs, err := listLogs(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	note, noted, err := readLogNote(dir)
	if err != nil {
		return badFile(dir, logNote, err)
	}
	if logs.memtable != "" && logs.lost(note, noted) {
		return damaged(dir, fmt.Errorf("%s is empty, and the store was not closed: what it held is missing",
			logs.memtable))
	}
	for _, name := range logs.empty {
		log.Info("an empty log, left by a kill, is removed", "directory", dir, "file", name)
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unreadable(dir, err)
		}
	}
	return nil
}

// lost reports whether the empty log of a memtable may have held something. The note
// asks for one that did, unless Badger has begun the next: a full disk keeps the note,
// and Badger empties a log before it removes it. Without a note, nothing is lost if another log is there, as
// Badger makes one at its start, or when the one before is full, or if the value log
// tells that the store was closed cleanly or is new.
func (l *logFiles) lost(note newestLog, noted bool) bool {
	if noted {
		name := filepath.Base(logPath("", note.id))
		return note.state != stateClosed && l.memtable == name && l.newest <= name
	}
	return l.others == 0 && l.open
}

func listLogs(dir string) (logs logFiles, err error) {
	entries, err := os.ReadDir(dir) // Sorted: of each kind the newest is the last.
	if err != nil {
		return logs, err
	}
	for _, e := range entries {
		suffix := filepath.Ext(e.Name())
		if suffix != memtableSuffix && suffix != valueLogSuffix {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return logs, err
		}
		empty := info.Size() == 0
		if empty {
			logs.empty = append(logs.empty, e.Name())
		}
		switch {
		case suffix == valueLogSuffix:
			logs.open = info.Size() >= 2*valueLogBytes
		case empty && logs.memtable == "":
			logs.memtable = e.Name()
		case empty:
		default:
			logs.others++
			logs.newest = e.Name()
		}
	}
	return logs, nil
}
