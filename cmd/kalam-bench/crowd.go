package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// The load of measureCrowd.
const (
	crowdTable      = "bench.crowd"
	crowdUsers      = 500
	crowdClients    = 16
	crowdStatements = 200_000
)

// crowd is many users who write and read small things, each with a token of its own.
type crowd struct {
	m      *measurement
	tokens []string
	next   atomic.Int64 // Of the statements.
	total  int64

	mu    sync.Mutex // guards what follows
	times samples
	sizes []float64 // MB of all processes, as time goes.
}

// measureCrowd sends mixed statements of many users. Any error ends it.
func (m *measurement) measureCrowd(ctx context.Context) error {
	c := &crowd{m: m, total: int64(m.count(crowdStatements))}
	if err := c.enter(ctx); err != nil {
		return err
	}
	begin := time.Now()
	work, ctx := errgroup.WithContext(ctx)
	for client := range crowdClients {
		work.Go(func() error { return c.work(ctx, client) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	rate := float64(c.total) / time.Since(begin).Seconds()
	c.m.report.line(fmt.Sprintf("%d mixed statements of %d users, %d at once", c.total, crowdUsers, crowdClients),
		perSecond(rate), "p50 "+ms(c.times.at(0.5)), 0, "no error", true)
	p99 := c.times.at(0.99)
	c.m.report.line("their p99", ms(p99), "", 0, "reported", true)
	n := len(c.sizes)
	early, late := median(c.sizes[n/5:2*n/5]), median(c.sizes[4*n/5:])
	c.m.report.line("memory of all processes at the end against the second fifth", fmt.Sprintf("%.0f MB", late),
		fmt.Sprintf("%.0f MB", early), late/early, "<= 1.25x", late <= 1.25*early)
	return nil
}

// enter makes the table and the users, and logs them in.
func (c *crowd) enter(ctx context.Context) (err error) {
	root, err := dial(c.m.server.url, c.m.rootToken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if _, err := root.exec("CREATE USER TABLE " + crowdTable +
		" (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL," +
		" created_at TIMESTAMP NOT NULL)"); err != nil {
		return err
	}
	for i := range crowdUsers {
		if _, err := root.exec(fmt.Sprintf("CREATE USER 'crowd_%d' WITH PASSWORD 'crowd-password' ROLE user",
			i)); err != nil {
			return err
		}
	}
	c.tokens = make([]string, crowdUsers)
	work, _ := errgroup.WithContext(ctx)
	work.SetLimit(crowdClients)
	for i := range c.tokens {
		work.Go(func() (err error) {
			c.tokens[i], err = login(c.m.server.url, fmt.Sprintf("crowd_%d", i), "crowd-password")
			return err
		})
	}
	return work.Wait()
}

// work sends statements, each of any user, until all are sent.
func (c *crowd) work(ctx context.Context, client int) (err error) {
	conn, err := c.m.connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	rnd := rand.New(rand.NewPCG(uint64(client), 9)) //nolint:gosec // A load that can be repeated.
	var mine samples
	for ctx.Err() == nil {
		i := c.next.Add(1)
		if i > c.total {
			break
		}
		if i%max(c.total/200, 1) == 0 {
			if err := c.weigh(); err != nil {
				return err
			}
		}
		conn.bearer = c.tokens[rnd.IntN(crowdUsers)]
		sql, params := c.statement(rnd)
		request := conn.request(sqlBody(sql, params...))
		took, err := timed(func() error { return conn.do(request) })
		if err != nil {
			return fmt.Errorf("statement %d, %s: %w", i, sql, err)
		}
		mine = append(mine, took)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.times = slices.Concat(c.times, mine)
	return ctx.Err()
}

// weigh notes the memory of all processes.
func (c *crowd) weigh() error {
	mb, err := c.m.server.all()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = append(c.sizes, mb)
	return nil
}

// statement returns what an application sends: mostly a message, a message read again, or the last ones.
func (c *crowd) statement(rnd *rand.Rand) (sql string, params []any) {
	switch p := rnd.IntN(100); {
	case p < 40:
		return rowSQL(crowdTable, c.m.nextID()), nil
	case p < 60:
		return "SELECT role, content FROM " + crowdTable + " WHERE id = $1", []any{rnd.Int64N(c.m.ids.Load())}
	case p < 80:
		return "SELECT id, role, content FROM " + crowdTable + " ORDER BY created_at DESC LIMIT 20", nil
	case p < 90:
		return "SELECT role, count(*) AS n, max(created_at) AS t FROM " + crowdTable + " WHERE id > $1 GROUP BY role",
			[]any{rnd.Int64N(1000)}
	case p < 95:
		return "UPDATE " + crowdTable + " SET role = 'user' WHERE id = $1", []any{rnd.Int64N(c.m.ids.Load())}
	case p < 98:
		return "DELETE FROM " + crowdTable + " WHERE id = $1", []any{rnd.Int64N(c.m.ids.Load())}
	}
	return "SELECT conversation_id, count(*) AS n FROM " + crowdTable + " WHERE content LIKE '%river%' GROUP BY ALL ORDER BY n",
		nil
}
