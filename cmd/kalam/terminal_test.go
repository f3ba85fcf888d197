//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// shellInstead makes the test binary be kalam, so that tests run a shell of
// exactly this code in a terminal.
const shellInstead = "KALAM_TEST_SHELL"

// patience bounds every wait of a test.
const patience = 60 * time.Second

// terminal is a kalam process in a terminal, and what its screen shows.
type terminal struct {
	t      testing.TB
	master *os.File
	slave  *os.File // Held open, so that its settings can be read after the end.
	before *term.State
	cmd    *exec.Cmd
	exited chan struct{}
	code   int // Valid after exited.

	mu     sync.Mutex // guards screen, raw and change
	screen *screen
	raw    bytes.Buffer
	change chan struct{} // Closed with the next output.
}

// startTerminal runs kalam in a terminal of the given size.
func startTerminal(t testing.TB, columns, rows int, home string, args ...string) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{
		t: t, master: master, slave: slave, screen: newScreen(columns, rows),
		exited: make(chan struct{}), change: make(chan struct{}),
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	if x.before, err = term.GetState(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	x.cmd = exec.Command(os.Args[0], args...)
	x.cmd.Env = []string{shellInstead + "=1", "HOME=" + home, "TERM=xterm", "PATH=" + os.Getenv("PATH"),
		"EDITOR=" + os.Getenv("EDITOR")}
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Add(1)
	go func() {
		defer reading.Done()
		x.read()
	}()
	go func() {
		x.code = exitCode(x.cmd.Wait())
		slave.WriteString(afterExit)
		x.drained()
		close(x.exited)
	}()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		<-x.exited
		slave.Close()
		master.Close()
		reading.Wait()
	})
	return x
}

// afterExit is written to the terminal when the process has ended: what it wrote
// comes before. The screen ignores it.
const afterExit = "\x1b[77h"

// drained waits until all that the process wrote was read.
func (x *terminal) drained() {
	for {
		x.mu.Lock()
		done, change := bytes.HasSuffix(x.raw.Bytes(), []byte(afterExit)), x.change
		x.mu.Unlock()
		if done {
			return
		}
		<-change
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -2
	}
	return 0
}

// read shows what the process writes.
func (x *terminal) read() {
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		x.mu.Lock()
		if err != nil {
			x.raw.WriteString(afterExit)
		}
		x.raw.Write(b[:n])
		x.screen.write(b[:n])
		close(x.change)
		x.change = make(chan struct{})
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// type types a text or keys.
func (x *terminal) typed(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// text returns what the screen shows and has shown, without blanks at the ends of
// lines, and the line of the cursor up to it.
func (x *terminal) text() (all, line string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.text(), x.screen.cursorLine()
}

// until waits until a condition on the screen holds.
func (x *terminal) until(what string, holds func(all, line string) bool) {
	x.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		x.mu.Lock()
		all, line, change := x.screen.text(), x.screen.cursorLine(), x.change
		x.mu.Unlock()
		if holds(all, line) {
			return
		}
		select {
		case <-change:
		case <-x.exited:
			if all, line := x.text(); holds(all, line) {
				return
			}
			x.t.Fatalf("the shell has ended (exit %d) without %s; the screen:\n%s", x.code, what, all)
		case <-deadline.C:
			x.t.Fatalf("no %s; the screen:\n%s\ncursor after %q", what, all, line)
		}
	}
}

// line waits until the text before the cursor is line.
func (x *terminal) line(line string) {
	x.t.Helper()
	x.until(fmt.Sprintf("%q before the cursor", line), func(_, l string) bool { return l == line })
}

// shows waits until the screen shows a text.
func (x *terminal) shows(text string) {
	x.t.Helper()
	x.until(fmt.Sprintf("%q", text), func(all, _ string) bool { return strings.Contains(all, text) })
}

// run types a statement at the prompt and waits for the next prompt. It returns
// what was shown between.
func (x *terminal) run(statement string) string {
	x.t.Helper()
	before, _ := x.text()
	n := strings.Count(before, " kalam")
	x.typed(statement + "\r")
	x.until("a prompt", func(all, line string) bool {
		return strings.Count(all, " kalam") > n && strings.HasSuffix(line, "> ") && !strings.HasSuffix(line, "-> ")
	})
	after, _ := x.text()
	_, out, _ := strings.Cut(after, strings.TrimRight(before, " \n"))
	return out
}

// ends waits for the exit and returns its code. The terminal must be as before.
func (x *terminal) ends() int {
	x.t.Helper()
	select {
	case <-x.exited:
	case <-time.After(patience):
		all, _ := x.text()
		x.t.Fatalf("the shell does not end; the screen:\n%s", all)
	}
	after, err := term.GetState(int(x.slave.Fd()))
	if err != nil {
		x.t.Fatal(err)
	}
	if !reflect.DeepEqual(x.before, after) {
		x.t.Errorf("the terminal was %+v and is %+v", x.before, after)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	raw := x.raw.String()
	if on, off := strings.LastIndex(raw, "\x1b[?2004h"), strings.LastIndex(raw, "\x1b[?2004l"); on > off {
		x.t.Error("bracketed paste is still on")
	}
	if show, hide := strings.LastIndex(raw, "\x1b[?25h"), strings.LastIndex(raw, "\x1b[?25l"); hide > show {
		x.t.Error("the cursor is hidden")
	}
	return x.code
}

// screen is a small model of a terminal: what is written where, with lines that
// scrolled away kept above.
type screen struct {
	columns, rows int
	above         []string
	cells         [][]rune // 0 for the second half of a wide character.
	row, col      int
	pending       []byte
}

func newScreen(columns, rows int) *screen {
	s := &screen{columns: columns, rows: rows}
	for range rows {
		s.cells = append(s.cells, s.blank())
	}
	return s
}

func (s *screen) blank() []rune { return []rune(strings.Repeat(" ", s.columns)) }

func lineText(cells []rune) string {
	return strings.TrimRight(strings.ReplaceAll(string(cells), "\x00", ""), " ")
}

func (s *screen) text() string {
	lines := append([]string(nil), s.above...)
	for _, c := range s.cells {
		lines = append(lines, lineText(c))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// cursorLine returns the line of the cursor up to it, blanks at its end included.
func (s *screen) cursorLine() string {
	return strings.ReplaceAll(string(s.cells[s.row][:min(s.col, s.columns)]), "\x00", "")
}

func (s *screen) write(b []byte) {
	s.pending = append(s.pending, b...)
	for len(s.pending) > 0 {
		n := s.one(s.pending)
		if n == 0 {
			return // The rest of a sequence is missing.
		}
		s.pending = s.pending[n:]
	}
}

// one does what the first character or sequence of b says and returns its length.
func (s *screen) one(b []byte) int {
	switch b[0] {
	case '\r':
		s.col = 0
		return 1
	case '\n':
		s.lineFeed()
		return 1
	case 0x1b:
		return s.sequence(b)
	}
	if !utf8.FullRune(b) {
		return 0
	}
	r, n := utf8.DecodeRune(b)
	s.put(r)
	return n
}

func (s *screen) put(r rune) {
	w := 1
	switch {
	case r >= 0x300 && r < 0x370:
		return // Combining: the cell before stays as it is.
	case r >= 0x1100 && r < 0x1160, r >= 0x2e80 && r < 0xfe00, r >= 0xff00 && r < 0xff60, r >= 0x1f300 && r < 0x1faff:
		w = 2
	}
	if s.col+w > s.columns {
		s.col = 0
		s.lineFeed()
	}
	s.cells[s.row][s.col] = r
	if w == 2 {
		s.cells[s.row][s.col+1] = 0
	}
	s.col += w
}

func (s *screen) lineFeed() {
	if s.row < s.rows-1 {
		s.row++
		return
	}
	s.above = append(s.above, lineText(s.cells[0]))
	s.cells = append(s.cells[1:], s.blank())
}

// sequence does what an escape sequence says.
func (s *screen) sequence(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	if b[1] != '[' {
		panic(fmt.Sprintf("escape sequence %q is not known", b[:2]))
	}
	end := bytes.IndexFunc(b[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
	if end < 0 {
		return 0
	}
	end += 2
	argument := string(b[2:end])
	n, err := strconv.Atoi(argument)
	if err != nil || n == 0 {
		n = 1
	}
	switch b[end] {
	case 'A':
		s.row = max(s.row-n, 0)
	case 'B':
		s.row = min(s.row+n, s.rows-1)
	case 'C':
		s.col = min(s.col+n, s.columns-1)
	case 'D':
		s.col = max(s.col-n, 0)
	case 'H':
		s.row, s.col = 0, 0
	case 'J':
		s.erase(argument)
	case 'm', 'h', 'l':
	default:
		panic(fmt.Sprintf("escape sequence %q is not known", b[:end+1]))
	}
	return end + 1
}

func (s *screen) erase(what string) {
	first := 0
	if what != "2" {
		copy(s.cells[s.row][min(s.col, s.columns):], s.blank())
		first = s.row + 1
	}
	for i := first; i < s.rows; i++ {
		s.cells[i] = s.blank()
	}
}
