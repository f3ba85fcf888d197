package main

import (
	"sync/atomic"
	"time"
)

// The user and tables of a measurement.
const (
	benchUser     = "bench"
	benchPassword = "bench-user-password"
	table         = "bench.messages"
)

// measurement is one run of `kalam-bench measure` over a fresh server.
type measurement struct {
	server    *server
	report    *report
	quick     bool
	only      []string // Steps to run; all when empty.
	token     string
	rootToken string
	ids       atomic.Int64
	first     int64 // Of the rows of the table bench.messages.
	end       int64 // Past the last of them when point reads begin.
}

// signIn takes new tokens, for a server that was started again too.
func (m *measurement) signIn() (err error) {
	if m.rootToken, err = login(m.server.url, "root", rootPassword); err != nil {
		return err
	}
	m.token, err = login(m.server.url, benchUser, benchPassword)
	return err
}

func (m *measurement) connect() (*conn, error) { return dial(m.server.url, m.token) }

func (m *measurement) nextID() int64 { return m.ids.Add(1) }

func (m *measurement) last() int64 { return m.end }

// scaled, count, rounds and span cut a run short with -quick.
func (m *measurement) scaled(n int) int {
	if m.quick {
		return n / 10
	}
	return n
}

func (m *measurement) count(n int) int { return m.scaled(n) }

func (m *measurement) rounds(n int) int {
	if m.quick {
		return min(n, 3)
	}
	return n
}

func (m *measurement) span(d time.Duration) time.Duration {
	if m.quick {
		return d / 5
	}
	return d
}
