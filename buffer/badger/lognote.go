package badger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4/y"
)

// Badger reads the memtable logs that it finds. One that somebody removed, or cut
// off, is not missed by it: rows that were acknowledged are gone then, and deleted
// ones are back. So a note beside the logs says which one is the newest, which
// must be there after a crash, and how long it is: Badger gives a log its full
// length when it begins it.
//
//	kalam-logs 1 STATE ID BYTES CRC32C\n
//
// The note is replaced as a whole. It is behind for a moment when Badger begins a
// log, and the log before may be gone when the next is there.

const (
	logNote      = "LOGS"
	logNoteForm  = "kalam-logs 1 %s %d %d"
	stateWriting = "writing" // The newest log is there, with its length.
	stateOpening = "opening" // It is there; Badger may have cut it to what is in it.
	stateClosed  = "closed"  // Badger has, or may have, removed it.
)

// writeLogNote replaces the note.
func writeLogNote(dir string, n newestLog) error {
	text := fmt.Sprintf(logNoteForm, n.state, n.id, n.bytes)
	text = fmt.Sprintf("%s %08x\n", text, crc32.Checksum([]byte(text), y.CastagnoliCrcTable))
	temp := filepath.Join(dir, logNote+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, filepath.Join(dir, logNote)); err != nil {
		return err
	}
	return syncFolder(dir)
}

// readLogNote returns the note; found is false in a directory without one, as
// older versions left it.
func readLogNote(dir string) (n newestLog, found bool, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, logNote))
	if errors.Is(err, fs.ErrNotExist) {
		return n, false, nil
	}
	if err != nil {
		return n, false, err
	}
	text, sum := strings.TrimSuffix(string(raw), "\n"), ""
	if i := strings.LastIndexByte(text, ' '); i > 0 {
		text, sum = text[:i], text[i+1:]
	}
	if sum != fmt.Sprintf("%08x", crc32.Checksum([]byte(text), y.CastagnoliCrcTable)) {
		return n, true, errors.New("its checksum does not match")
	}
	if _, err := fmt.Sscanf(text, logNoteForm, &n.state, &n.id, &n.bytes); err != nil {
		return n, true, errors.New("it is of another form")
	}
	return n, true, nil
}

// checkNewestLog compares the logs with the note.
func checkNewestLog(dir string) error {
	note, found, err := readLogNote(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", logNote, err)
	}
	if !found || note.state == stateClosed {
		return nil
	}
	id, bytes, err := findNewestLog(dir)
	if err != nil {
		return err
	}
	name := filepath.Base(logPath(dir, note.id))
	switch {
	case id < note.id && fileIsThere(logPath(dir, note.id)):
		return fmt.Errorf("%s is empty: what it held is missing", name)
	case id < note.id:
		return fmt.Errorf("%s is missing: it holds rows that were acknowledged", name)
	case id == note.id && note.state == stateWriting && bytes < note.bytes:
		return fmt.Errorf("%s has %d bytes of %d: it was cut off", name, bytes, note.bytes)
	}
	return nil
}

// noteOpening notes that Badger is about to open the logs, when it cuts them to what
// is in them, and removes at once those that hold nothing. The note then asks for
// the newest log that holds something, if there is one.
func noteOpening(dir string) error {
	note, found, err := readLogNote(dir)
	if err != nil || !found || note.state == stateClosed {
		return err
	}
	newest, _, err := findNewestLog(dir)
	if err != nil {
		return err
	}
	for id := newest; id >= note.id; id-- {
		var holds bool
		err := readMemtableLog(logPath(dir, id), func(data []byte) error {
			holds = holdsTransaction(data)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if holds {
			return writeLogNote(dir, newestLog{state: stateOpening, id: id, bytes: note.bytes})
		}
	}
	return writeLogNote(dir, newestLog{state: stateClosed})
}

func fileIsThere(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// noteWriting notes the newest log, which Badger has just begun.
func noteWriting(dir string) error {
	id, bytes, err := findNewestLog(dir)
	if err != nil || id < 0 {
		return err
	}
	return writeLogNote(dir, newestLog{state: stateWriting, id: id, bytes: bytes})
}

// noteClosed notes that Badger is about to close, when it writes its memtable as a
// table and removes the log. Where that cannot be written, there is no note.
func noteClosed(dir string) error {
	if writeLogNote(dir, newestLog{state: stateClosed}) == nil {
		return nil
	}
	if err := os.Remove(filepath.Join(dir, logNote)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("note that the logs are closed: %w", err)
	}
	return syncFolder(dir)
}
