//go:build unix

package edit

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	prompt "github.com/c-bata/go-prompt"
	"github.com/pkg/term/termios"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// errConsoleClosed is returned by console.Read after Close.
var errConsoleClosed = errors.New("the terminal was given back")

// escapeWait is how long an escape character waits for the rest of its sequence
// before it is the key Esc.
const escapeWait = 50 * time.Millisecond

// console is the terminal of the prompt, a prompt.ConsoleParser that reads one
// stroke at a time. Unlike go-prompt's own it leaves the descriptor blocking,
// because the terminal's output shares its flags, knows pastes, and remembers for
// itself how the terminal was. Read is for one goroutine; the other methods may be
// called by any.
type console struct {
	fd      int
	before  *term.State // As the terminal was found.
	cooked  unix.Termios
	wake    [2]int // A pipe; a byte in it ends Read.
	pending []byte // Read, but not yet a whole stroke.

	mu     sync.Mutex // guards the terminal's mode and the fields below
	closed bool
}

var _ prompt.ConsoleParser = (*console)(nil)

// openConsole returns the console of a terminal, which is not changed yet.
func openConsole(fd int) (*console, error) {
	c := &console{fd: fd}
	var err error
	if c.before, err = term.GetState(fd); err != nil {
		return nil, err
	}
	t, err := termios.Tcgetattr(uintptr(fd))
	if err != nil {
		return nil, err
	}
	c.cooked = *t
	if err := unix.Pipe(c.wake[:]); err != nil {
		return nil, err
	}
	unix.CloseOnExec(c.wake[0])
	unix.CloseOnExec(c.wake[1])
	return c, nil
}

// Setup lets the terminal hand over each key as it is typed. Its output stays
// processed: a line feed is a new line.
func (c *console) Setup() error {
	t := c.rawMode()
	t.Lflag &^= unix.ISIG
	return c.set(&t)
}

// Attend is the mode while a statement runs: like Setup, but Ctrl+C is a signal.
// What is typed meanwhile is neither shown nor lost.
func (c *console) Attend() error {
	t := c.rawMode()
	t.Lflag |= unix.ISIG
	t.Cc[unix.VSUSP], t.Cc[unix.VQUIT] = 0, 0 // Of the signals only the interrupt.
	return c.set(&t)
}

func (c *console) rawMode() unix.Termios {
	t := c.cooked
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.IEXTEN
	t.Cflag = t.Cflag&^unix.CSIZE | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}

func (c *console) set(t *unix.Termios) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errConsoleClosed
	}
	return termios.Tcsetattr(uintptr(c.fd), termios.TCSANOW, t)
}

// TearDown gives the terminal back as it was found. Setup may follow.
func (c *console) TearDown() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return term.Restore(c.fd, c.before)
}

// Close gives the terminal back and ends Read. The caller then waits for its
// reader and calls release.
func (c *console) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	err := term.Restore(c.fd, c.before)
	_, werr := unix.Write(c.wake[1], []byte{0})
	return errors.Join(err, werr)
}

// release frees what Read needed.
func (c *console) release() error {
	return errors.Join(unix.Close(c.wake[0]), unix.Close(c.wake[1]))
}

// GetWinSize returns the size of the terminal, 80 by 24 if it does not know.
func (c *console) GetWinSize() *prompt.WinSize {
	columns, rows, err := term.GetSize(c.fd)
	if err != nil || columns <= 0 || rows <= 0 {
		columns, rows = 80, 24
	}
	return &prompt.WinSize{Row: uint16(rows), Col: uint16(columns)}
}

// Read returns the next stroke, see nextStroke. The error is io.EOF when the
// terminal has gone, or errConsoleClosed.
func (c *console) Read() ([]byte, error) {
	var chunk [4096]byte
	for final := false; ; {
		if s := nextStroke(c.pending, final); len(s) > 0 {
			s = append([]byte(nil), s...)
			c.pending = append(c.pending[:0], c.pending[len(s):]...)
			return s, nil
		}
		ready, err := c.wait(len(c.pending) > 0)
		if err != nil {
			return nil, err
		}
		if final = !ready; final {
			continue
		}
		n, err := unix.Read(c.fd, chunk[:])
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case err != nil || n <= 0:
			return nil, io.EOF // A terminal that hung up gives EIO.
		default:
			c.pending = append(c.pending, chunk[:n]...)
		}
	}
}

// wait waits for input; with a limit, for escapeWait at most.
func (c *console) wait(limited bool) (ready bool, err error) {
	for {
		var set unix.FdSet
		set.Zero()
		set.Set(c.fd)
		set.Set(c.wake[0])
		var timeout *unix.Timeval
		if limited {
			tv := unix.NsecToTimeval(int64(escapeWait))
			timeout = &tv
		}
		n, err := unix.Select(max(c.fd, c.wake[0])+1, &set, nil, nil, timeout)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, err
		case set.IsSet(c.wake[0]):
			return false, errConsoleClosed
		}
		return n > 0, nil
	}
}

// suspend stops the process as Ctrl+Z does, and returns when it goes on, or soon
// if nobody could continue it. The terminal must have been given back.
func suspend() error {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if err := unix.Kill(0, unix.SIGTSTP); err != nil {
		return err
	}
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-continued:
	case <-t.C: // A process without job control is not stopped.
	}
	return nil
}

// notifyRedraw asks for a signal whenever the size of the terminal changes, or the
// process goes on after a stop, in which somebody may have changed its mode.
func notifyRedraw(c chan os.Signal) { signal.Notify(c, syscall.SIGWINCH, syscall.SIGCONT) }

// editorOutput returns go-prompt's writer for the first of the files that is a
// terminal, nil if none is.
func editorOutput(files []io.Writer) prompt.ConsoleWriter {
	for _, f := range files {
		switch fd, ok := terminal(f); {
		case ok && fd == syscall.Stderr:
			return prompt.NewStderrWriter()
		case ok && fd == syscall.Stdout:
			return prompt.NewStdoutWriter()
		}
	}
	return nil
}
