package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// measureFlushes times queries over the same number of rows, written by 1, 10, 100 and
// 1,000 flushes, on a server that compacts by itself, as servers do.
func (m *measurement) measureFlushes(ctx context.Context) error {
	m.server.env = append(m.server.env, "KALAM_LAKE_COMPACT_SEGMENTS=8")
	defer func() { m.server.env = m.server.env[:len(m.server.env)-1] }()
	_, c, err := m.again(syscall.SIGTERM)
	if err != nil {
		return err
	}
	defer c.Close()
	const rows = 100_000
	counts := []int{1, 10, 100, 1000}
	queries := []string{
		"SELECT role, count(*) AS n, max(length(content)) AS longest FROM %s GROUP BY role",
		"SELECT id, content FROM %s WHERE id = (SELECT max(id) FROM %[1]s) - 50000",
		"SELECT id, content FROM %s ORDER BY id DESC LIMIT 20",
	}
	for _, n := range counts {
		if err := m.fillFlushed(ctx, flushedBy(n), rows, n); err != nil {
			return err
		}
	}
	times := make([]map[int]*samples, len(queries))
	for range m.rounds(15) { // In turns: the machine is not equally fast all the time.
		for i, query := range queries {
			if times[i] == nil {
				times[i] = map[int]*samples{}
			}
			for _, n := range counts {
				request := c.request(sqlBody(fmt.Sprintf(query, flushedBy(n))))
				took, err := timed(func() error { return c.do(request) })
				if err != nil {
					return err
				}
				if times[i][n] == nil {
					times[i][n] = &samples{}
				}
				*times[i][n] = append(*times[i][n], took)
			}
		}
	}
	for i, what := range []string{"GROUP BY", "row by key", "latest 20"} {
		one := times[i][1].at(0.5)
		for _, n := range counts[1:] {
			ratio := float64(times[i][n].at(0.5)) / float64(one)
			m.report.line(fmt.Sprintf("%s of %d rows after %d flushes, against 1", what, rows, n), ms(times[i][n].at(0.5)),
				ms(one), ratio,
				"<= 2x", ratio <= 2)
		}
	}
	return nil
}

// measureUsersFlush flushes 1M rows of 200 users, and looks at the server's private memory meanwhile.
func (m *measurement) measureUsersFlush(ctx context.Context) error {
	const users, rowsEach = 200, 1000
	statements := max(m.scaled(1_000_000)/users/rowsEach, 1)
	for range statements {
		if err := m.fillUsers(ctx, "bench.shared_out", users, rowsEach); err != nil {
			return err
		}
	}
	before, err := m.server.private()
	if err != nil {
		return err
	}
	during, stop := context.WithCancel(ctx)
	most := make(chan float64)
	go func() { most <- m.mostPrivate(during) }()
	took, err := m.flush(ctx, "bench.shared_out")
	stop()
	peak := <-most
	if err != nil {
		return err
	}
	rows := users * rowsEach * statements
	rate := float64(rows) / took.Seconds()
	m.report.line(fmt.Sprintf("flush of %d rows of %d users", rows, users), perSecond(rate), "", 0, ">= 500,000 rows/s",
		rate >= 500_000)
	m.report.line("memory of the server meanwhile, at most", fmt.Sprintf("%.0f MB", peak), fmt.Sprintf("%.0f MB", before),
		peak/before, "<= 128 MB more", peak-before <= 128)
	return nil
}

// mostPrivate returns the most private memory of the server in MB until ctx ends.
func (m *measurement) mostPrivate(ctx context.Context) (most float64) {
	for ctx.Err() == nil {
		if mb, err := m.server.private(); err == nil { // It is a measurement: what cannot be read is not counted.
			most = max(most, mb)
		}
		<-time.After(10 * time.Millisecond)
	}
	return most
}

func flushedBy(flushes int) string { return fmt.Sprintf("bench.flushed_%d", flushes) }

// fillFlushed makes a table of rows that so many flushes wrote, and waits until the
// compactions that they caused have ended.
func (m *measurement) fillFlushed(ctx context.Context, name string, rows, flushes int) error {
	root, err := dial(m.server.url, m.rootToken)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.exec("CREATE USER TABLE " + name + benchColumns); err != nil {
		return err
	}
	if err := m.fill(ctx, name, rows, flushes); err != nil {
		return err
	}
	for ctx.Err() == nil {
		r, err := root.exec("SELECT count(*) FROM system.jobs WHERE finished_at IS NULL")
		if err != nil {
			return err
		}
		if cell(r, 0) == "0" {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return ctx.Err()
}

// measureScopes gives 100,000 users ten rows each and reports the flush, the start after
// a kill -9, and what the server then holds in memory for each user.
func (m *measurement) measureScopes(ctx context.Context) error {
	const rowsEach = 10
	users := m.scaled(100_000)
	idle, _, err := m.coldMemory()
	if err != nil {
		return err
	}
	if err := m.fillUsers(ctx, "bench.scopes", users, rowsEach); err != nil {
		return err
	}
	buffered, start, err := m.coldMemory()
	if err != nil {
		return err
	}
	m.report.line(fmt.Sprintf("start with %d users with %d buffered rows each", users, rowsEach), ms(start), "", 0,
		"<= 3 s", start <= 3*time.Second)
	took, err := m.flush(ctx, "bench.scopes")
	if err != nil {
		return err
	}
	rate := float64(users) / took.Seconds()
	m.report.line(fmt.Sprintf("flush of %d users with %d rows each", users, rowsEach), fmt.Sprintf("%.0f users/s", rate),
		"", 0,
		">= 2,000 users/s", rate >= 2000)
	flushed, start, err := m.coldMemory()
	if err != nil {
		return err
	}
	m.report.line(fmt.Sprintf("start with %d flushed users", users), ms(start), "", 0, "<= 3 s", start <= 3*time.Second)
	for _, state := range []struct {
		name string
		mb   float64
	}{{"with buffered rows", buffered}, {"flushed", flushed}} {
		bytes := max(state.mb-idle, 0) * (1 << 20) / float64(users)
		m.report.line("memory of a user nobody asks for, "+state.name, fmt.Sprintf("%.0f bytes", bytes), "", 0,
			"<= 300 bytes", bytes <= 300)
	}
	return nil
}

// coldMemory kills the server, starts it, and returns its private memory in MB, and how
// long the start took. Garbage is collected ten times as often as else there, so that
// it is not what is measured.
func (m *measurement) coldMemory() (mb float64, start time.Duration, err error) {
	m.server.env = append(m.server.env, "GOGC=10")
	defer func() { m.server.env = m.server.env[:len(m.server.env)-1] }()
	start, c, err := m.again(syscall.SIGKILL)
	if err != nil {
		return 0, 0, err
	}
	if err := c.Close(); err != nil {
		return 0, 0, err
	}
	var all []float64
	for range 10 {
		mb, err := m.server.private()
		if err != nil {
			return 0, 0, err
		}
		all = append(all, mb)
		<-time.After(500 * time.Millisecond) // What a start leaves behind goes back to the system meanwhile.
	}
	return slices.Min(all), start, nil
}
