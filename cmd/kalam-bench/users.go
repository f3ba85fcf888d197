package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// rowsPerUser is the number of rows that each of many users has in the buffer.
const rowsPerUser = 3

// fillUsers gives each of n users so many rows of a table.
func (m *measurement) fillUsers(ctx context.Context, name string, n, rowsEach int) error {
	const clients = 64
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			c, err := dial(m.server.url, m.rootToken)
			if err != nil {
				return err
			}
			defer c.Close()
			for ctx.Err() == nil {
				user := next.Add(1)
				if user > int64(n) {
					return nil
				}
				rows := rowSQL(name, m.nextID())
				for range rowsEach - 1 {
					more := rowSQL(name, m.nextID())
					rows += "," + more[strings.Index(more, "VALUES ")+len("VALUES "):]
				}
				if _, err := c.exec(fmt.Sprintf("EXECUTE AS USER 'many_%06d' (%s)", user, rows)); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// measureUsers flushes many users with few rows each, and times the inserts of a few
// writers into another table beside it, against the same without a flush.
func (m *measurement) measureUsers(ctx context.Context) error {
	const writers, pause = 4, 2 * time.Millisecond
	users := m.scaled(100_000)
	if err := m.fillUsers(ctx, "bench.users", users, rowsPerUser); err != nil {
		return err
	}
	idle, cancel := context.WithTimeout(ctx, m.span(5*time.Second))
	defer cancel()
	before, err := m.insertUntil(idle, writers, pause)
	if err != nil {
		return err
	}
	during, stop := context.WithCancel(ctx)
	defer stop()
	var took time.Duration
	flushed := make(chan error, 1)
	go func() {
		defer stop()
		var err error
		took, err = m.flush(ctx, "bench.users")
		flushed <- err
	}()
	beside, err := m.insertUntil(during, writers, pause)
	if err := errors.Join(err, <-flushed); err != nil {
		return err
	}
	rate := float64(users) / took.Seconds()
	what := fmt.Sprintf("flush of %d users with %d rows each", users, rowsPerUser)
	m.report.line(what, fmt.Sprintf("%.0f users/s", rate), "", 0, ">= 2,000 users/s", rate >= 2000)
	ratio := float64(beside.at(0.99)) / float64(before.at(0.99))
	m.report.line("INSERT by 4 writers beside it, p99", ms(beside.at(0.99)), ms(before.at(0.99)), ratio,
		"<= 2x without a flush", ratio <= 2)
	return nil
}
