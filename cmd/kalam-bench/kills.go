package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/link/wire"
)

// The load of measureKills.
const (
	killsTable   = "bench.kills"
	killsWriters = 6
	killsRows    = 20 // Of an INSERT.
	killsCount   = 1000
	codeRetry    = "UNAVAILABLE" // Of a statement whose worker has died.
)

// siegeOfWorkers is a server whose query workers are killed while users write and read.
type siegeOfWorkers struct {
	*measurement
	right, failed atomic.Int64 // Answers, and statements that failed by name.
	killed        atomic.Int64
	over          atomic.Bool
}

// measureKills kills query workers, those that write files among them, while users write and check what they
// have written.
func (m *measurement) measureKills(ctx context.Context) error {
	return m.another("killed", []string{"KALAM_LAKE_COMPACT_SEGMENTS=4"}, func(o *measurement) error {
		s := &siegeOfWorkers{measurement: o}
		return s.measure(ctx)
	})
}

func (s *siegeOfWorkers) measure(ctx context.Context) (err error) {
	root, err := dial(s.server.url, s.rootToken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if _, err := root.exec("CREATE USER TABLE " + killsTable + " (id BIGINT PRIMARY KEY, body TEXT NOT NULL)" +
		" FLUSH_POLICY 'rows:500'"); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	for i := range killsWriters {
		user := fmt.Sprintf("kills_%d", i)
		if _, err := root.exec(fmt.Sprintf("CREATE USER '%s' WITH PASSWORD 'kills-password' ROLE user", user)); err != nil {
			return err
		}
		token, err := login(s.server.url, user, "kills-password")
		if err != nil {
			return err
		}
		work.Go(func() error { return s.work(ctx, token) })
	}
	work.Go(func() error { defer s.over.Store(true); return s.kill(ctx) })
	if err := work.Wait(); err != nil {
		return err
	}
	r, err := root.exec("SELECT count(*) AS n FROM system.jobs WHERE status = 'failed'")
	if err != nil {
		return err
	}
	s.report.line(fmt.Sprintf("%d workers killed: right answers", s.killed.Load()), strconv.FormatInt(s.right.Load(), 10),
		fmt.Sprintf("%d by name", s.failed.Load()), 0, "no other error, nothing lost or doubled; failed jobs "+cell(r, 0),
		true)
	return nil
}

// kill kills workers and reports how the rate of right answers and the server's memory are after that.
func (s *siegeOfWorkers) kill(ctx context.Context) error {
	<-time.After(s.span(4 * time.Second))
	before, err := s.rate(ctx)
	if err != nil {
		return err
	}
	early, err := s.server.private()
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // Repeatable.
	for want := int64(s.count(killsCount)); s.killed.Load() < want && ctx.Err() == nil; {
		if err := s.killOne(rnd); err != nil {
			return err
		}
		<-time.After(time.Duration(rnd.IntN(40)) * time.Millisecond)
	}
	<-time.After(time.Second)
	after, err := s.rate(ctx)
	if err != nil {
		return err
	}
	late, err := s.server.private()
	if err != nil {
		return err
	}
	s.report.line("right answers within a second after the kills", perSecond(after), perSecond(before), after/before,
		">= 0.5x before", after >= before/2)
	s.report.line("memory of the server after the kills", fmt.Sprintf("%.0f MB", late), fmt.Sprintf("%.0f MB", early),
		late/early, "<= 2x before", late <= 2*early)
	return nil
}

// rate counts right answers for a second.
func (s *siegeOfWorkers) rate(ctx context.Context) (float64, error) {
	from, begin := s.right.Load(), time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return float64(s.right.Load()-from) / time.Since(begin).Seconds(), ctx.Err()
}

// killOne kills one query worker, if there is one.
func (s *siegeOfWorkers) killOne(rnd *rand.Rand) error {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.server.cmd.Process.Pid))
	if err != nil {
		return err
	}
	var pids []string
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // The thread has ended.
		}
		pids = append(pids, strings.Fields(string(raw))...)
	}
	if len(pids) == 0 {
		return nil
	}
	pid, err := strconv.Atoi(pids[rnd.IntN(len(pids))])
	if err != nil {
		return err
	}
	sig := syscall.SIGKILL
	if rnd.IntN(3) == 0 {
		sig = syscall.SIGSEGV
	}
	if syscall.Kill(pid, sig) == nil {
		s.killed.Add(1)
	}
	return nil
}

// work writes rows and, after each INSERT, checks that all are there once.
func (s *siegeOfWorkers) work(ctx context.Context, token string) (err error) {
	c, err := dial(s.server.url, token)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for rows := 0; ctx.Err() == nil && !s.over.Load(); {
		var values []string
		for i := range killsRows {
			values = append(values, fmt.Sprintf("(%d, '%s')", rows+i, content(int64(rows+i))))
		}
		if _, err := c.exec("INSERT INTO " + killsTable + " VALUES " + strings.Join(values, ", ")); err != nil {
			return err // No worker takes part in it.
		}
		rows += killsRows
		if err := s.check(c, rows); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// check asks until it is answered, and compares.
func (s *siegeOfWorkers) check(c *conn, rows int) error {
	request := c.request(sqlBody("SELECT count(*) AS n, sum(id) AS s, count(DISTINCT id) AS d FROM "+killsTable+
		" WHERE id >= $1", 0))
	for {
		if _, err := c.c.Write(request); err != nil {
			return err
		}
		status, err := c.answer()
		if err != nil {
			return err
		}
		var r wire.Response
		if err := json.Unmarshal(c.buf, &r); err != nil {
			return err
		}
		if status != http.StatusOK || r.Error != nil {
			if r.Error == nil || string(r.Error.Code) != codeRetry {
				return fmt.Errorf("status %d: %.300s", status, c.buf)
			}
			s.failed.Add(1)
			continue
		}
		want := fmt.Sprintf("%d %d %d", rows, rows*(rows-1)/2, rows)
		if got := cell(&r, 0) + " " + cell(&r, 1) + " " + cell(&r, 2); got != want {
			return fmt.Errorf("count, sum and distinct ids are %s, want %s", got, want)
		}
		s.right.Add(1)
		return nil
	}
}
