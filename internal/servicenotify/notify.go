// Package servicenotify tells the service manager how a server is: the protocol of sd_notify, which systemd speaks to
// services of Type=notify. Without a manager, that is without NOTIFY_SOCKET, it does nothing.
package servicenotify

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Messages of Manager.Tell.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Watchdog = "WATCHDOG=1" // It lives; to be told more often than Manager.Watchdog.
)

// writeTimeout bounds a message: a manager that takes none must not stop the server.
const writeTimeout = time.Second

// Manager is the service manager of the process; nil is none, to which nothing is told. It is immutable: any number of
// goroutines may use it.
type Manager struct {
	address  string
	watchdog time.Duration
}

// FromEnvironment returns the manager that the environment names, by getenv, which is os.Getenv but in tests; nil
// without one. The error says that an address is none.
func FromEnvironment(getenv func(string) string) (*Manager, error) {
	address := getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil, nil //nolint:nilnil // See Manager.
	}
	if address[0] != '/' && address[0] != '@' {
		return nil, fmt.Errorf("NOTIFY_SOCKET: '%s' is no path of a socket", address)
	}
	m := &Manager{address: address}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m, nil // It is for another process.
	}
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		m.watchdog = time.Duration(us) * time.Microsecond
	}
	return m, nil
}

// Watchdog returns after which silence the manager restarts the service, 0 for never.
func (m *Manager) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Tell sends messages, each of them "NAME=value".
func (m *Manager) Tell(messages ...string) (err error) {
	if m == nil {
		return nil
	}
	// "@" stands for an abstract socket, in package net as in the environment.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	if _, err := c.Write([]byte(strings.Join(messages, "\n"))); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// Reloading is Tell with the message that the configuration is read again. Ready is to follow.
func (m *Manager) Reloading() error {
	return m.Tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonic(), 10))
}
