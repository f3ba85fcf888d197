package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The keys of the server.
const (
	AccessKey = "access"
	SecretKey = "secret" //nolint:gosec // Of a server that lives as long as a test.
)

// gateway is the S3 server that all tests of a process share: a process, on a Unix socket.
type gateway struct {
	dir    string
	socket string
	input  io.Closer     // The process ends with it.
	ended  chan struct{} // Closed at its end.
	output bytes.Buffer  // Read after its end.
}

var (
	server  = sync.OnceValues(startGateway)
	started atomic.Pointer[gateway]
	buckets atomic.Int64
)

// Tests are the tests of a package that may use the server, which ends after the last of them. A
// TestMain hands it to goleak.VerifyTestMain.
type Tests struct{ *testing.M }

// Run implements goleak.TestingM.
func (t Tests) Run() int {
	code := t.M.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// stop ends the server, if it was started.
func stop() error {
	g := started.Load()
	if g == nil {
		return nil
	}
	err := g.input.Close()
	<-g.ended
	return errors.Join(err, os.RemoveAll(g.dir))
}

// startGateway builds and starts the server.
func startGateway() (*gateway, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return nil, errors.New("where the source of the S3 server is cannot be known")
	}
	dir, err := os.MkdirTemp("", "kalam-s3-")
	if err != nil {
		return nil, err
	}
	g := &gateway{dir: dir, socket: filepath.Join(dir, "s"), ended: make(chan struct{})}
	source := filepath.Join(filepath.Dir(filepath.Dir(here)), "internal", "gateway")
	//nolint:gosec // Of our own source.
	cmd := exec.Command("go", "run", "-C", source, ".", dir, g.socket)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &g.output, &g.output
	if g.input, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // Its output says why.
		close(g.ended)
	}()
	for {
		if c, err := net.Dial("unix", g.socket); err == nil {
			_ = c.Close() // It only tried.
			started.Store(g)
			return g, nil
		}
		select {
		case <-g.ended:
			return nil, fmt.Errorf("the S3 server ended: %s", g.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
