package process_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/sandbox"
)

// This program is also the helper that the tests start, and a parent that is killed.
const roleVariable = "KALAM_PROCESS_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		goleak.VerifyTestMain(m)
	case "helper":
		exitWith(help())
	case "parent":
		exitWith(beParent())
	}
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// help answers frames: 'e' with the same, its files read; 'm' by taking memory; 's' by
// not listening any more; 'x' by its end.
func help() error {
	c, err := process.Inherited()
	if err != nil {
		return err
	}
	var held [][]byte
	for {
		f, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := process.Frame{Kind: f.Kind, Call: f.Call, Payload: f.Payload}
		switch f.Kind {
		case 'e':
			for _, file := range f.Files {
				b, err := io.ReadAll(io.NewSectionReader(file, 0, 100)) // The offset is shared with the parent.
				if err != nil {
					return err
				}
				answer.Payload = append(answer.Payload, b...)
			}
		case 'm':
			n, err := strconv.Atoi(string(f.Payload))
			if err != nil {
				return err
			}
			held = append(held, bytes.Repeat([]byte{1}, n))
		case 's':
			select {}
		case 'x':
			return errors.New("told to fail")
		}
		if err := c.Write(answer); err != nil {
			return err
		}
		for _, file := range f.Files {
			_ = file.Close()
		}
		_ = held
	}
}

// beParent starts a helper, prints its process id, and waits to be killed.
func beParent() error {
	s := process.NewStarter()
	p, err := s.Start(spec(nil))
	if err != nil {
		return err
	}
	fmt.Println(p.PID())
	select {}
}

func spec(stderr io.Writer) process.Spec {
	return process.Spec{Env: []string{roleVariable + "=helper"},
		Rules: sandbox.Rules{Read: []string{"/proc/self"}}, Stderr: stderr}
}

func start(t *testing.T) *process.Process {
	t.Helper()
	s := process.NewStarter()
	var errs bytes.Buffer
	p, err := s.Start(spec(&errs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		s.Close()
		if t.Failed() {
			t.Logf("the helper printed %q", errs.String())
		}
	})
	return p
}

// call sends a frame and returns the answer.
func call(t *testing.T, c *process.Conn, f process.Frame) process.Frame {
	t.Helper()
	if err := c.Write(f); err != nil {
		t.Fatal(err)
	}
	got, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != f.Kind || got.Call != f.Call {
		t.Fatalf("frame %c of call %d answers %c of %d", got.Kind, got.Call, f.Kind, f.Call)
	}
	return got
}

// TestFrames sends payloads of every size around the sizes of buffers, with files and
// without, many at once.
func TestFrames(t *testing.T) {
	c := start(t).Conn()
	dir := t.TempDir()
	var files []*os.File
	for i := range 3 {
		path := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(path, []byte(fmt.Sprint("file ", i, ";")), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	sizes := []int{0, 1, 9, 10, 11, 4096, 65525, 65526, 65527, 65535, 65536, 65537, 200_000, 1 << 20, 5 << 20}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i, n := range sizes {
			if err := c.Write(process.Frame{Kind: 'e', Call: uint32(i), Payload: payload(n), Files: files[:i%4]}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i, n := range sizes {
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		want := payload(n)
		for k := range i % 4 {
			want = append(want, fmt.Sprint("file ", k, ";")...)
		}
		if f.Call != uint32(i) || sha256.Sum256(f.Payload) != sha256.Sum256(want) {
			t.Errorf("answer %d to %d bytes has call %d and %d bytes instead of %d", i, n, f.Call, len(f.Payload), len(want))
		}
	}
	wg.Wait()
	if err := c.Write(process.Frame{Kind: 'e', Payload: make([]byte,
		process.MaxFrame+1)}); kalam.CodeOf(err) != kalam.CodeTooLarge {
		t.Errorf("a frame that is too large: %v", err)
	}
	if got := call(t, c, process.Frame{Kind: 'e', Call: 77, Payload: []byte("after")}); string(got.Payload) != "after" {
		t.Errorf("afterwards %q", got.Payload)
	}
}

func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + n)
	}
	return b
}

// TestKill kills a helper that does not listen; its end is seen at once.
func TestKill(t *testing.T) {
	p := start(t)
	if err := p.Conn().Write(process.Frame{Kind: 's'}); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() { _, err := p.Conn().Read(); read <- err }()
	begin := time.Now()
	p.Kill()
	p.Kill()
	if err := <-read; err == nil {
		t.Error("a killed helper answers")
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("the kill took %s", took)
	}
	if p.Err() == nil || !strings.Contains(p.Err().Error(), "killed") {
		t.Errorf("it ended with %v", p.Err())
	}
	if err := syscall.Kill(p.PID(), 0); err == nil {
		t.Error("the process is still there")
	}
}

// TestEnd is a helper that ends by itself.
func TestEnd(t *testing.T) {
	p := start(t)
	if err := p.Conn().Write(process.Frame{Kind: 'x'}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Conn().Read(); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	<-p.Ended()
	if p.Err() == nil {
		t.Error("a helper that failed ended without an error")
	}
}

// TestMemory watches and bounds the memory of a helper.
func TestMemory(t *testing.T) {
	p := start(t)
	call(t, p.Conn(), process.Frame{Kind: 'e'})
	before, err := p.Memory()
	if err != nil {
		t.Fatal(err)
	}
	call(t, p.Conn(), process.Frame{Kind: 'm', Payload: []byte(strconv.Itoa(64 << 20))})
	most := int64(160 << 20)
	if raceEnabled {
		most *= 4
	}
	after, err := p.Memory()
	if err != nil || after-before < 60<<20 || after-before > most {
		t.Errorf("64 MiB more are %d bytes more, %v", after-before, err)
	}
	if err := p.LimitMemory(128 << 20); err != nil {
		t.Fatal(err)
	}
	call(t, p.Conn(), process.Frame{Kind: 'm', Payload: []byte(strconv.Itoa(16 << 20))})
	if err := p.Conn().Write(process.Frame{Kind: 'm', Payload: []byte(strconv.Itoa(1 << 30))}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Conn().Read(); err == nil {
		t.Error("a helper took 1 GiB under a limit of 128 MiB")
	}
	<-p.Ended()
}

// TestCPU has a process compute and reads what that took.
func TestCPU(t *testing.T) {
	p := start(t)
	before, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 8 { // Each fills 64 MiB.
		call(t, p.Conn(), process.Frame{Kind: 'm', Payload: []byte(strconv.Itoa(64 << 20))})
	}
	after, err := p.CPU()
	most := time.Since(began)*time.Duration(runtime.NumCPU()) + 20*time.Millisecond
	if err != nil || after <= before || after-before > most {
		t.Errorf("512 MiB took %v of CPU time in at most %v, %v", after-before, most, err)
	}
}

// TestLowerPriority reads the priority of every thread.
func TestLowerPriority(t *testing.T) {
	p := start(t)
	call(t, p.Conn(), process.Frame{Kind: 'e'})
	if err := p.LowerPriority(); err != nil {
		t.Fatal(err)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", p.PID(), thread.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')'):]))
		if nice := fields[17]; nice != "10" {
			t.Errorf("thread %s of %d has nice %s", thread.Name(), len(threads), nice)
		}
	}
}

// TestParentDies is that no helper outlives its parent, even one that is killed.
func TestParentDies(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{roleVariable + "=parent"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	for end := time.Now().Add(5 * time.Second); syscall.Kill(pid, 0) == nil; {
		if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(raw), ") Z") {
			break // Gone, and waits for the machine's init to notice.
		}
		if time.Now().After(end) {
			t.Fatal("the helper outlives its parent")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestGarbage is what a helper that was taken over may send: its parent gets an error.
func TestGarbage(t *testing.T) {
	for _, garbage := range [][]byte{
		{0xff, 0xff, 0xff, 0xff, 'e', 0, 0, 0, 0, 0}, // A frame of 4 GiB.
		{0, 0, 0, 0, 'e', 9, 0, 0, 0, 0},             // Files that did not come.
		{1, 0, 0},                                    // Half a header.
	} {
		c, raw := process.RawPair(t)
		if _, err := raw.Write(garbage); err != nil {
			t.Fatal(err)
		}
		if err := raw.Close(); err != nil {
			t.Fatal(err)
		}
		if f, err := c.Read(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%v gives %+v, %v", garbage, f, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	s := process.NewStarter()
	defer s.Close()
	p, err := s.Start(spec(os.Stderr))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Kill()
	for b.Loop() {
		if err := p.Conn().Write(process.Frame{Kind: 'e', Payload: payload(300)}); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Conn().Read(); err != nil {
			b.Fatal(err)
		}
	}
}
