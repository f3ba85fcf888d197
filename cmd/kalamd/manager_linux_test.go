package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServiceManager is a service manager to a server: it is told when the server serves, that it lives, when it reads
// its configuration again, and when it stops.
func TestServiceManager(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := socket.Close(); err != nil {
			t.Error(err)
		}
	}()
	await := func(want string) {
		t.Helper()
		buf := make([]byte, 4096)
		for {
			if err := socket.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, err := socket.Read(buf)
			if err != nil {
				t.Fatalf("%s was not told: %v", want, err)
			}
			if strings.HasPrefix(string(buf[:n]), want) {
				return
			}
			if got := string(buf[:n]); got != "WATCHDOG=1" {
				t.Fatalf("told %q, want %q", got, want)
			}
		}
	}
	p := &process{t: t, dir: t.TempDir(), env: []string{"NOTIFY_SOCKET=" + address, "WATCHDOG_USEC=600000"}}
	p.start()
	defer p.kill()
	await("READY=1")
	for range 3 {
		await("WATCHDOG=1")
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await("RELOADING=1\nMONOTONIC_USEC=")
	await("READY=1")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("STOPPING=1")
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
	p.cmd = nil
}
