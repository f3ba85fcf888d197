package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/sandbox"
)

// self is the program that runs, also after its file was replaced.
const self = "/proc/self/exe"

// Spec says how a process is started.
type Spec struct {
	Args   []string      // Of the program, after its name.
	Env    []string      // The whole environment, beside what the sandbox needs.
	Rules  sandbox.Rules // Files that stay open to it.
	Stderr io.Writer     // What it prints goes there; nil is nowhere.
}

// Starter starts processes. The kernel kills a child when the thread that started it
// ends, so all come from one thread that lives as long as the Starter. Safe for
// concurrent use.
type Starter struct {
	requests chan func()
	close    sync.Once
}

// NewStarter returns a Starter, which the caller closes.
func NewStarter() *Starter {
	s := &Starter{requests: make(chan func())}
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		for f := range s.requests {
			f()
		}
	}()
	return s
}

// Close kills the processes that still run. Start must not be called afterwards.
func (s *Starter) Close() { s.close.Do(func() { close(s.requests) }) }

// Process is a started process. Safe for concurrent use.
type Process struct {
	cmd   *exec.Cmd
	conn  *Conn
	ended chan struct{}
	state error // Why it ended; read after ended.
}

// Start starts the program. The caller calls Kill in the end.
func (s *Starter) Start(spec Spec) (*Process, error) {
	rules, err := spec.Rules.Env()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("make a socket for a worker: %w", err)
	}
	cmd := exec.Command(self, spec.Args...) //nolint:gosec // The program itself, told what to do by its caller.
	cmd.Env = append(append([]string{"GOTRACEBACK=none"}, spec.Env...), rules)
	cmd.ExtraFiles, cmd.Stderr, cmd.Dir = []*os.File{theirs}, spec.Stderr, "/"
	// A group of its own keeps a terminal's Ctrl-C away, and takes priorities whole.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	s.requests <- func() { started <- cmd.Start() }
	err = errors.Join(<-started, theirs.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a worker: %w", err), ours.Close())
	}
	p := &Process{cmd: cmd, conn: newConn(ours), ended: make(chan struct{})}
	go func() {
		p.state = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// socketPair returns two connected sockets, the second as a file for a child.
func socketPair() (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "worker")
	ours, err := unixConn(os.NewFile(uintptr(fds[0]), "parent"))
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// unixConn makes a connection of a file, which it closes.
func unixConn(f *os.File) (*net.UnixConn, error) {
	c, err := net.FileConn(f)
	err = errors.Join(err, f.Close())
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("descriptor is no Unix socket but %T", c), c.Close())
	}
	return conn, nil
}

// Inherited returns the child's end of its connection to the parent.
func Inherited() (*Conn, error) {
	c, err := unixConn(os.NewFile(3, "parent"))
	if err != nil {
		return nil, fmt.Errorf("this command is started by the server alone: %w", err)
	}
	return newConn(c), nil
}

// Conn returns the parent's end of the connection.
func (p *Process) Conn() *Conn { return p.conn }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err says how the process ended, nil for status 0. Call it after Ended.
func (p *Process) Err() error { return p.state }

// Kill ends the process at once, closes the connection, and waits until it is gone.
// It may be called more than once.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // It fails when the process is gone already.
	<-p.ended
	_ = p.conn.Close() // Nothing that was sent is waited for.
}

// Memory returns the bytes that the process holds for itself: what it shares with
// others, as its program and the batches that are given to it, does not count.
func (p *Process) Memory() (int64, error) {
	resident, err := p.statm(1)
	if err != nil {
		return 0, err
	}
	shared, err := p.statm(2)
	return max(0, resident-shared), err
}

// LimitMemory bounds the addresses that the process can have to n bytes more than it
// has now; n < 0 removes the bound. It is the hard bound behind a watch of Memory. The
// limit of data would be the nearer one, but the kernel does not count it where a
// process maps what it reserved before, as Go does.
func (p *Process) LimitMemory(n int64) error {
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if n >= 0 {
		used, err := p.statm(0)
		if err != nil {
			return err
		}
		limit.Cur = uint64(used + n)
	}
	return unix.Prlimit(p.PID(), unix.RLIMIT_AS, &limit, nil)
}

// ticksPerSecond is the unit of times in /proc, the same on every Linux.
const ticksPerSecond = 100

// CPU returns the CPU time that the process has used, in steps of 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/stat")
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything; the fields of user and system time are the 12th and 13th after it.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 13 {
		return 0, kalam.Errorf(kalam.CodeInternal, "stat of a worker is %q", raw)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, err
}

// statm returns a field of the process's statm in bytes.
func (p *Process) statm(field int) (int64, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw))
	if len(fields) <= field {
		return 0, kalam.Errorf(kalam.CodeInternal, "statm of a worker is %q", raw)
	}
	pages, err := strconv.ParseInt(fields[field], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// LowerPriority lets every other process go first. It cannot be taken back: whoever
// wants a process of normal priority starts a new one.
func (p *Process) LowerPriority() error { return unix.Setpriority(unix.PRIO_PGRP, p.PID(), 10) }

// EndFirst has the kernel end this process before others when the machine has no memory
// left.
func (p *Process) EndFirst() error {
	return os.WriteFile("/proc/"+strconv.Itoa(p.PID())+"/oom_score_adj", []byte("800"), 0)
}

// Pause stops the process until Continue. Kill ends it all the same.
func (p *Process) Pause() error { return unix.Kill(-p.PID(), unix.SIGSTOP) }

// Continue ends a pause.
func (p *Process) Continue() error { return unix.Kill(-p.PID(), unix.SIGCONT) }
