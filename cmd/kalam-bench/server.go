package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// rootPassword is of the servers that this command starts.
const rootPassword = "bench-root-password"

// server is a kalamd process over a data directory.
type server struct {
	binary, dir string
	env         []string // Beside that of every server here.
	url         string
	cmd         *exec.Cmd
}

// start runs kalamd and waits until it serves; took is the time until then.
func (s *server) start() (took time.Duration, err error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	//nolint:gosec // Who measures names the binary.
	s.cmd = exec.Command(s.binary, "serve", "--data", filepath.Join(s.dir, "data"), "--listen", "127.0.0.1:0")
	s.cmd.Env = append(os.Environ(), "KALAM_ROOT_PASSWORD="+rootPassword, "KALAM_AUTH_BCRYPT_COST=4",
		"KALAM_FLUSH_ON_SHUTDOWN=false",
		// All clients are one here.
		"KALAM_RATE_LIMIT_MAX_QUERIES_PER_SEC=0", "KALAM_RATE_LIMIT_MAX_REQUESTS_PER_IP_PER_SEC=0",
		"KALAM_LAKE_COMPACT_SEGMENTS=0", // What is measured over 20 files must stay 20 files.
		"KALAM_BUFFER_MAX_BYTES=0")      // Steps leave millions of rows in the buffer.
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, url, ok := strings.Cut(strings.TrimSpace(line), "ready on ")
	if err != nil || !ok {
		return 0, fmt.Errorf("kalamd does not start (its log is %s): %q %w", log.Name(), line, errors.Join(err, s.cmd.Wait()))
	}
	s.url = url
	return time.Since(begin), nil
}

// stop ends the process by a signal and waits for it.
func (s *server) stop(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	err := s.cmd.Wait()
	s.cmd = nil
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

// rss returns the resident memory of the process in MB.
func (s *server) rss() (float64, error) { return s.memory("VmRSS:") }

// private returns the MB of memory that the server holds for itself: without its
// program and the mapped files of the write buffer, which the kernel keeps as long as
// it has room.
func (s *server) private() (float64, error) { return s.memory("RssAnon:") }

// all returns the resident memory of the server and its query workers in MB; what they
// share counts once.
func (s *server) all() (mb float64, err error) {
	pid := s.cmd.Process.Pid
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	pids := []string{strconv.Itoa(pid)}
	for _, name := range tasks {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // The thread has ended.
		}
		pids = append(pids, strings.Fields(string(raw))...)
	}
	for i, pid := range pids {
		part, err := memoryLine("/proc/"+pid+"/smaps_rollup", "Pss:")
		if err != nil && i > 0 {
			continue // The worker has ended.
		}
		if err != nil {
			return 0, err
		}
		mb += part
	}
	return mb, nil
}

// memory returns a line of the process's status in MB.
func (s *server) memory(name string) (float64, error) {
	return memoryLine(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid), name)
}

// memoryLine returns a line "name N kB" of a file in MB.
func memoryLine(file, name string) (float64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
