package edit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam/shell/settings"
)

// historyLine is the longest line of the file that is read, in bytes.
const historyLine = 4 << 20

// History is what was typed, of this shell and, from its file, of those before.
// A statement is one line of the file, see encodeEntry. Several shells may use one
// file: each adds its statements under a lock. It is used by one goroutine.
type History struct {
	path    string // "" keeps it in memory only.
	size    int    // Statements that are kept; the file may have more while shells are open.
	keep    func(statement string) bool
	entries []string
	cleared int // How often clear was called.
}

// NewHistory returns an empty history of at most size statements, in memory. Statements
// for which keep is false are left out: those that may hold a secret, and commands that
// nobody wants again.
func NewHistory(size int, keep func(statement string) bool) *History {
	return &History{size: size, keep: keep}
}

// OpenHistory is NewHistory with what the file in a directory holds, which is made if it
// does not exist, and to which Add appends. The warning, "" for none, is for the user; a
// history that cannot be read or written is kept in memory.
func OpenHistory(dir string, size int, keep func(statement string) bool) (h *History, warning string) {
	h = NewHistory(size, keep)
	h.path = filepath.Join(dir, "history")
	err := os.MkdirAll(dir, 0o700)
	damaged := 0
	if err == nil {
		h.entries, damaged, err = h.shorten()
	}
	switch {
	case err != nil:
		h.path = ""
		return h, fmt.Sprintf("Warning: the history is not kept: %v", err)
	case damaged > 0:
		return h, fmt.Sprintf("Warning: %d damaged lines of %s were skipped", damaged, h.path)
	}
	return h, ""
}

// shorten leaves the newest statements in the file, and returns them and how many
// of its lines are damaged.
func (h *History) shorten() (entries []string, damaged int, err error) {
	err = h.locked(func() error {
		entries, damaged, err = readHistory(h.path)
		n := len(entries) - h.size
		if err != nil || n <= 0 {
			return err
		}
		entries = entries[n:]
		return writeHistory(h.path, entries)
	})
	return entries, damaged, err
}

// close shortens the file.
func (h *History) close() error {
	if h.path == "" {
		return nil
	}
	_, _, err := h.shorten()
	return err
}

// Entries returns the statements, oldest first. The slice is the history's.
func (h *History) Entries() []string { return h.entries }

// Add appends a statement unless it repeats the last one or is not to be kept; added
// says whether it is in the history. The error is that of the file.
func (h *History) Add(statement string) (added bool, err error) {
	if statement == "" || !h.keep(statement) {
		return false, nil
	}
	if n := len(h.entries); n > 0 && h.entries[n-1] == statement {
		return false, nil
	}
	h.entries = append(h.entries, statement)
	if n := len(h.entries) - h.size; n > 0 {
		h.entries = h.entries[n:]
	}
	if h.path == "" {
		return true, nil
	}
	return true, h.locked(func() error {
		f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		line := encodeEntry(statement) + "\n"
		if !endsLine(f) {
			line = "\n" + line
		}
		_, err = f.WriteString(line)
		return errors.Join(err, f.Close())
	})
}

// endsLine reports whether a file ends with a line feed or is empty; not so if a
// shell was killed while it wrote.
func endsLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] == '\n'
}

// Clear forgets everything, also what other shells have added.
func (h *History) Clear() error {
	h.entries = nil
	h.cleared++
	if h.path == "" {
		return nil
	}
	return h.locked(func() error { return writeHistory(h.path, nil) })
}

// locked runs f while no other shell changes the file.
func (h *History) locked(f func() error) error { return settings.Locked(h.path, f) }

// readHistory returns the statements of a file, oldest first, and how many of its
// lines are damaged.
func readHistory(path string) (entries []string, damaged int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	if err := f.Chmod(0o600); err != nil {
		return nil, 0, err
	}
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, whole, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if entry, ok := decodeEntry(line); ok && whole {
			entries = append(entries, entry)
		} else if line != "" || !whole {
			damaged++
		}
		if err != nil {
			return entries, damaged, nil
		}
	}
}

// readLine returns a line without its end; whole is false if it is too long.
func readLine(r *bufio.Reader) (line string, whole bool, err error) {
	var b []byte
	for whole = true; ; {
		part, err := r.ReadSlice('\n')
		if len(b)+len(part) > historyLine {
			b, whole = nil, false
		} else if whole {
			b = append(b, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimSuffix(string(b), "\n"), whole, err
		}
	}
}

// writeHistory replaces a file by one of the given statements.
func writeHistory(path string, entries []string) error {
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(encodeEntry(e) + "\n")
	}
	return settings.Replace(path, []byte(b.String()))
}

// encodeEntry writes a statement as one line: a backslash is doubled, a line feed
// is \n, a carriage return \r.
func encodeEntry(s string) string { return entryEncoder.Replace(s) }

var entryEncoder = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// decodeEntry undoes encodeEntry. ok is false for what it cannot have written.
func decodeEntry(line string) (s string, ok bool) {
	if strings.TrimSpace(line) == "" || !utf8.ValidString(line) || strings.ContainsFunc(line, isDamage) {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			b.WriteByte(line[i])
			continue
		}
		if i++; i == len(line) {
			return "", false
		}
		switch line[i] {
		case '\\':
			b.WriteByte('\\')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		default:
			return "", false
		}
	}
	return b.String(), true
}

// isDamage reports whether a character cannot be typed into a statement.
func isDamage(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
