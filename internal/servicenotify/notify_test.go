package servicenotify_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/kalamlake/kalam/internal/servicenotify"
)

// listen is a service manager. It returns its environment and a function that takes the next message.
func listen(t *testing.T, address string) (map[string]string, func() string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return map[string]string{"NOTIFY_SOCKET": address}, func() string {
		buf := make([]byte, 4096)
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestTell(t *testing.T) {
	for _, address := range []string{filepath.Join(t.TempDir(), "s"), "@kalam-test-" + strconv.Itoa(os.Getpid())} {
		env, next := listen(t, address)
		env["WATCHDOG_USEC"] = "30000000"
		m, err := servicenotify.FromEnvironment(func(name string) string { return env[name] })
		if err != nil || m.Watchdog() != 30*time.Second {
			t.Fatalf("watchdog %v, %v", m.Watchdog(), err)
		}
		if err := m.Tell(servicenotify.Ready, "STATUS=x"); err != nil {
			t.Fatal(err)
		}
		if got := next(); got != "READY=1\nSTATUS=x" {
			t.Errorf("%q", got)
		}
		if err := m.Reloading(); err != nil {
			t.Fatal(err)
		}
		if got := next(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$`).MatchString(got) {
			t.Errorf("%q", got)
		}
	}
}

func TestWithoutManager(t *testing.T) {
	m, err := servicenotify.FromEnvironment(func(string) string { return "" })
	if m != nil || err != nil || m.Tell(servicenotify.Ready) != nil || m.Watchdog() != 0 {
		t.Errorf("%v, %v", m, err)
	}
	if _, err := servicenotify.FromEnvironment(func(string) string { return "none" }); err == nil {
		t.Error("an address that is none is taken")
	}
	env := map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "gone"), "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}
	m, err = servicenotify.FromEnvironment(func(name string) string { return env[name] })
	if err != nil || m.Watchdog() != 0 {
		t.Errorf("the watchdog of another process is taken: %v, %v", m, err)
	}
	if err := m.Tell(servicenotify.Ready); err == nil {
		t.Error("nobody listens, and there is no error")
	}
}
