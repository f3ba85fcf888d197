package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam/query/sandbox"
)

// The tests start this program again inside a sandbox, where it tries what it should
// not be able to do and prints what came of it.
const (
	probeVariable = "KALAM_SANDBOX_PROBE" // The folder that the attempts are about.
	onlyVariable  = "KALAM_SANDBOX_ONLY"  // Names of attempts; all when there are none.
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(probeVariable); dir != "" {
		if err := json.NewEncoder(os.Stdout).Encode(probe(dir, os.Getenv(onlyVariable))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// report is what a probe prints: the error of each attempt, "" for success.
type report struct {
	State    sandbox.State
	Attempts map[string]string
	Open     []string // Descriptors above 3.
}

func probe(dir, only string) report {
	r := report{State: sandbox.Current(), Attempts: map[string]string{}}
	for name, try := range attempts(dir) {
		if only != "" && !strings.Contains(only, "|"+name+"|") {
			continue
		}
		r.Attempts[name] = ""
		if err := try(); err != nil {
			r.Attempts[name] = err.Error()
		}
	}
	for fd := 4; fd < 64; fd++ {
		if path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil &&
			!strings.HasPrefix(path, "anon_inode:") {
			r.Open = append(r.Open, path)
		}
	}
	return r
}

func attempts(dir string) map[string]func() error {
	lake, temp, other := filepath.Join(dir, "lake"), filepath.Join(dir, "temp"), filepath.Join(dir, "other")
	read := func(path string) func() error {
		return func() error { _, err := os.ReadFile(path); return err }
	}
	write := func(path string) func() error {
		return func() error { return os.WriteFile(path, []byte("x"), 0o600) }
	}
	return map[string]func() error{
		"may: read the lake":         read(filepath.Join(lake, "a")),
		"may: write temp":            write(filepath.Join(temp, "b")),
		"may: make a folder in temp": func() error { return os.MkdirAll(filepath.Join(temp, "c/d"), 0o700) },
		"may: rename in temp": func() error {
			return os.Rename(filepath.Join(temp, "old"),
				filepath.Join(temp, "new"))
		},
		"may: truncate in temp":       func() error { return os.Truncate(filepath.Join(temp, "long"), 0) },
		"may: remove in temp":         func() error { return os.Remove(filepath.Join(temp, "gone")) },
		"may: run threads":            runThreads,
		"read passwd":                 read("/etc/passwd"),
		"read beside":                 read(filepath.Join(other, "a")),
		"read through ..":             read(lake + "/../other/a"),
		"read by a link in temp":      read(filepath.Join(temp, "link")),
		"list beside":                 func() error { _, err := os.ReadDir(other); return err },
		"read the parent's memory":    read(fmt.Sprintf("/proc/%d/mem", os.Getppid())),
		"read the parent's arguments": read(fmt.Sprintf("/proc/%d/environ", os.Getppid())),
		"write the lake":              write(filepath.Join(lake, "a")),
		"truncate the lake":           func() error { return os.Truncate(filepath.Join(lake, "a"), 0) },
		"remove from the lake":        func() error { return os.Remove(filepath.Join(lake, "a")) },
		"write beside":                write(filepath.Join(other, "new")),
		"link beside into temp": func() error {
			return os.Link(filepath.Join(other, "a"),
				filepath.Join(temp, "hard"))
		},
		"rename from the lake to temp": func() error { return os.Rename(filepath.Join(lake, "a"), filepath.Join(temp, "a")) },
		"symlink in temp":              func() error { return os.Symlink("/etc/passwd", filepath.Join(temp, "soft")) },
		"make a fifo":                  func() error { return unix.Mkfifo(filepath.Join(temp, "fifo"), 0o600) },
		"change a mode":                func() error { return os.Chmod(filepath.Join(temp, "b"), 0o777) },
		"connect": func() error {
			c, err := net.Dial("tcp",
				"127.0.0.1:1")
			closeQuietly(c)
			return err
		},
		"listen":                     func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"make a socket":              func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"make a raw socket":          func() error { _, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0); return err },
		"run a program":              func() error { return exec.Command("/bin/true").Run() },
		"signal the parent":          func() error { return syscall.Kill(os.Getppid(), 0) },
		"signal a thread of another": func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) },
		"trace the parent":           func() error { return syscall.PtraceAttach(os.Getppid()) },
		"make namespaces":            func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"mount":                      func() error { return unix.Mount("none", temp, "tmpfs", 0, "") },
		"change the root":            func() error { return unix.Chroot(temp) },
		"load a filter":              func() error { return errnoOf(unix.SYS_BPF, 0, 0, 0) },
		"use io_uring":               func() error { return errnoOf(unix.SYS_IO_URING_SETUP, 1, 0, 0) },
		"count events":               func() error { return errnoOf(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0) },
		"fork":                       func() error { return errnoOf(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0) },
		"become another user":        func() error { return errnoOf(unix.SYS_SETUID, 65534, 0, 0) },
	}
}

func closeQuietly(c net.Conn) {
	if c != nil {
		_ = c.Close() // The attempt counts, not this.
	}
}

// errnoOf makes a system call that is refused before it looks at its arguments.
func errnoOf(nr uintptr, a, b, c uintptr) error {
	if _, _, e := syscall.RawSyscall(nr, a, b, c); e == syscall.EPERM {
		return e
	}
	return nil // The kernel looked at the arguments, or did it.
}

// runThreads makes threads of the system, and collects garbage, which stops them all
// by signals.
func runThreads() error {
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			runtime.LockOSThread()
			runtime.GC()
		})
	}
	wg.Wait()
	return nil
}

// start runs the probe with the given environment.
func start(t *testing.T, dir string, env ...string) report {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(filepath.Join(dir, "other", "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append([]string{probeVariable + "=" + dir}, env...)
	cmd.ExtraFiles = []*os.File{open, open} // 3, which a worker's socket is, and one more.
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %q", err, out.String())
	}
	return r
}

// folders makes the folders that the attempts are about.
func folders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []string{"lake/a", "temp/old", "temp/long", "temp/gone", "other/a"} {
		path := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "other/a"), filepath.Join(dir, "temp/link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSandbox tries to get out. Where the kernel has no Landlock, its share of the
// attempts is not judged, and the log says so.
func TestSandbox(t *testing.T) {
	dir := folders(t)
	env, err := sandbox.Rules{Read: []string{filepath.Join(dir, "lake"), filepath.Join(dir, "missing")},
		Write: []string{filepath.Join(dir, "temp")}}.Env()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, env)
	t.Log(r.State)
	if !r.State.Entered || !r.State.Seccomp {
		t.Fatalf("in force is %+v", r.State)
	}
	if len(r.Open) > 0 {
		t.Errorf("open is %q", r.Open)
	}
	for name, failure := range r.Attempts {
		switch may := strings.HasPrefix(name, "may: "); {
		case may && failure != "":
			t.Errorf("%s: %s", name, failure)
		case !may && failure == "" && (r.State.Landlock > 0 || bySeccomp[name]):
			t.Errorf("a sandboxed process can %s", name)
		}
	}
}

// bySeccomp are the attempts that seccomp alone stops.
var bySeccomp = map[string]bool{
	"symlink in temp": true, "make a fifo": true, "change a mode": true, "connect": true, "listen": true,
	"make a socket": true, "make a raw socket": true,
	"run a program": true, "signal the parent": true, "signal a thread of another": true, "trace the parent": true,
	"make namespaces": true, "mount": true,
	"change the root": true, "load a filter": true, "use io_uring": true, "count events": true,
	"fork": true, "become another user": true,
}

// TestWithoutRules is that harmless attempts succeed outside of a sandbox: what stops
// them inside is the sandbox.
func TestWithoutRules(t *testing.T) {
	names := []string{"may: read the lake", "read passwd", "read beside", "write the lake", "write beside", "listen",
		"make a socket", "run a program",
		"signal the parent", "symlink in temp", "change a mode", "rename from the lake to temp",
		"make a fifo", "may: write temp"}
	r := start(t, folders(t), onlyVariable+"=|"+strings.Join(names, "|")+"|")
	if r.State.Entered || r.State.Seccomp || r.State.Landlock != 0 {
		t.Errorf("in force is %+v", r.State)
	}
	if len(r.Open) == 0 {
		t.Error("the descriptor that the test leaves open is closed")
	}
	for _, name := range names {
		if failure := r.Attempts[name]; failure != "" && !strings.Contains(failure, "no such file") {
			t.Errorf("%s: %s", name, failure)
		}
	}
}

// TestRulesOfPaths refuses what cannot be a line of the rules.
func TestRulesOfPaths(t *testing.T) {
	for _, p := range []string{"", "lake", "/a\nw/", "/a\x00"} {
		if env, err := (sandbox.Rules{Read: []string{p}}).Env(); err == nil {
			t.Errorf("%q gives %q", p, env)
		}
	}
}
