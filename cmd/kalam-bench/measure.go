package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
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

// runMeasure prints every figure of the budgets beside its reference.
func runMeasure(ctx context.Context, args []string) error {
	m := &measurement{server: &server{}, report: &report{w: os.Stdout}}
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.StringVar(&m.server.binary, "kalamd", "bin/kalamd", "server binary")
	flags.StringVar(&m.server.dir, "dir", "", "empty directory for the server's data, on the disk to measure")
	flags.BoolVar(&m.quick, "quick", false, "a tenth of the rows: to see that everything runs, not to compare")
	only := flags.String("only", "",
		"comma list of single, many, point, events, bulk, cached, isolation, first, results, "+
			"subscribe, flush, beside, users, mixed, restart, crowd, soak (point needs rows of single or many)")
	if err := flags.Parse(args); err != nil || m.server.dir == "" {
		return errUsage
	}
	if *only != "" {
		m.only = strings.Split(*only, ",")
	}
	if err := os.MkdirAll(m.server.dir, 0o750); err != nil {
		return err
	}
	if _, err := m.server.start(); err != nil {
		return err
	}
	err := m.run(ctx)
	if err := errors.Join(err, m.server.stop(syscall.SIGTERM)); err != nil {
		return err
	}
	if m.report.missed > 0 {
		fmt.Printf("%d budget(s) missed\n", m.report.missed)
	}
	return nil
}

func (m *measurement) run(ctx context.Context) error {
	m.report.header()
	if err := m.measureIdle(); err != nil {
		return err
	}
	if err := m.setUp(); err != nil {
		return err
	}
	m.first = m.ids.Load() + 1
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"single", m.measureSingle},
		{"many", func() error { return m.measureMany(ctx, 64) }},
		{"point", func() error { m.end = m.ids.Load(); return m.measurePoint() }},
		{"events", func() error { return m.measureEvents(ctx) }},
		{"bulk", func() error { return m.measureBulk(ctx) }},
		{"cached", m.measureCached},
		{"isolation", m.measureIsolation},
		{"first", m.measureFirst},
		{"results", func() error { return m.measureResults(ctx) }},
		{"subscribe", func() error { return m.measureSubscribe(ctx) }},
		{"flush", func() error { return m.measureFlush(ctx) }},
		{"beside", func() error { return m.measureBeside(ctx) }},
		{"users", func() error { return m.measureUsers(ctx) }},
		{"mixed", func() error { return m.measureMixed(ctx) }},
		{"restart", m.measureRestart},
		{"crowd", func() error { return m.measureCrowd(ctx) }},
		{"soak", func() error { return m.measureSoak(ctx) }},
	} {
		if len(m.only) > 0 && !slices.Contains(m.only, step.name) {
			continue
		}
		if err := step.run(); err != nil {
			return err
		}
	}
	return nil
}

// setUp creates the user and the tables.
func (m *measurement) setUp() error {
	var err error
	if m.rootToken, err = login(m.server.url, "root", rootPassword); err != nil {
		return err
	}
	root, err := dial(m.server.url, m.rootToken)
	if err != nil {
		return err
	}
	defer root.Close()
	statements := []string{"CREATE NAMESPACE bench", fmt.Sprintf("CREATE USER '%s' WITH PASSWORD '%s' ROLE user",
		benchUser, benchPassword)}
	for _, name := range []string{"messages", "bulk", "small", "flushed", "beside", "users",
		"latest", "grouped", "restart"} {
		statements = append(statements, "CREATE USER TABLE bench."+name+
			" (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at TIMESTAMP NOT NULL)"+
			" FLUSH_POLICY 'manual'") // Each step says itself what is buffered and what is flushed.
	}
	for _, sql := range statements {
		if _, err := root.exec(sql); err != nil {
			return err
		}
	}
	if err := m.signIn(); err != nil {
		return err
	}
	return m.load("bench.small", 1000)
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
