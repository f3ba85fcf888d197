package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// runMeasure prints every figure of the budgets beside its reference.
func runMeasure(ctx context.Context, args []string) error {
	m := &measurement{server: &server{}, report: &report{w: os.Stdout}}
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	flags.StringVar(&m.server.binary, "kalamd", "bin/kalamd", "server binary")
	flags.StringVar(&m.server.dir, "dir", "", "empty directory for the server's data, on the disk to measure")
	flags.BoolVar(&m.quick, "quick", false, "a tenth of the rows: to see that everything runs, not to compare")
	only := flags.String("only", "",
		"comma list of single, many, point, events, bulk, cached, isolation, first, results, "+
			"subscribe, flush, beside, users, shares, flushes, scopes, mixed, restart, crowd, kills, attack, soak (point needs rows of single or many)")
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
		{"shares", func() error { return m.measureUsersFlush(ctx) }},
		{"flushes", func() error { return m.measureFlushes(ctx) }},
		{"scopes", func() error { return m.measureScopes(ctx) }},
		{"mixed", func() error { return m.measureMixed(ctx) }},
		{"restart", m.measureRestart},
		{"crowd", func() error { return m.measureCrowd(ctx) }},
		{"kills", func() error { return m.measureKills(ctx) }},
		{"attack", func() error { return m.measureAttack(ctx) }},
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
