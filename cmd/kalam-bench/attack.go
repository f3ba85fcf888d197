package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// What measureAttack allows.
const (
	attackTimeout = 3 * time.Second // Of a statement.
	attackMemory  = 1024            // MB that DuckDB may have.
	attackRoom    = 256             // MB above it, and above the memory of the idle server.
	attackGrace   = 10 * time.Second
)

// attack is what one user sends to hold up the others.
type attack struct {
	name   string
	sql    string
	params []any
}

// attacks are statements that the engine cannot interrupt, or whose memory it does not count.
func attacks() []attack {
	var aliases []string
	for i := range 100 {
		aliases = append(aliases, fmt.Sprintf("bench.one t%d", i))
	}
	rep := strings.Repeat
	return []attack{
		{"levenshtein", "SELECT levenshtein($1, $2)", []any{rep("ab", 100_000), rep("ba", 100_000)}},
		{"LIKE", "SELECT $1 LIKE $2", []any{rep("a", 12_000), rep("%a", 60) + "b"}},
		{"join of 100", "SELECT count(*) FROM " + strings.Join(aliases, ", "), nil},
		{"regexp_replace", "SELECT length(regexp_replace($1, 'a', $2, 'g'))", []any{rep("a", 512<<10), rep("b", 20<<10)}},
		{"bitstring", "SELECT bit_count(bitstring('1', 2000000000))", nil},
		{"json_tree", "SELECT count(*) FROM json_tree($1)", []any{rep("[", 20_000) + rep("]", 20_000)}},
		{"jaro_winkler", "SELECT jaro_winkler_similarity($1, $2)", []any{rep("ab", 200_000), rep("ba", 200_000)}},
		{"array_to_string", "SELECT length(array_to_string(range(100000), $1))", []any{rep("x", 100_000)}},
		{"list_transform", "SELECT length(to_json(list_transform(range(100000), lambda x: $1))::TEXT)",
			[]any{rep("x", 100_000)}},
		{"replace", "SELECT length(replace($1, 'a', $2))", []any{rep("a", 200_000), rep("b", 50_000)}},
		{"damerau", "SELECT damerau_levenshtein($1, $2)", []any{rep("ab", 16<<10), rep("ba", 16<<10)}},
		{"texts of rows", "SELECT max(length(x::VARCHAR || replace(repeat('a', 10000), 'a', repeat('b', 10000))))" +
			" FROM range(100) r(x)", nil},
		{"sort", "SELECT x FROM range(2000000000) r(x) ORDER BY hash(x) LIMIT 1 OFFSET 1000000000", nil},
	}
}

// siege is a server that one user attacks while another works.
type siege struct {
	*measurement
	mallory string // Her token.

	late atomic.Int64 // How long after its limit the latest of her statements ended, ns.
	most atomic.Int64 // MB of all processes.
}

// measureAttack compares how long the statements of one user take idle, and while another user sends
// what has stopped servers.
func (m *measurement) measureAttack(ctx context.Context) error {
	env := []string{
		fmt.Sprintf("KALAM_QUERY_TIMEOUT_SECONDS=%d", int(attackTimeout.Seconds())),
		fmt.Sprintf("KALAM_QUERY_MEMORY_LIMIT=%dMB", attackMemory),
		fmt.Sprintf("KALAM_SERVER_SHUTDOWN_GRACE_SECONDS=%d", int(attackGrace.Seconds())),
	}
	return m.another("attacked", env, func(o *measurement) error {
		s := &siege{measurement: o}
		if err := s.settle(); err != nil {
			return err
		}
		return s.measure(ctx)
	})
}

// settle makes mallory and her tables.
func (s *siege) settle() (err error) {
	root, err := dial(s.server.url, s.rootToken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	for _, sql := range []string{"CREATE USER 'mallory' WITH PASSWORD 'mallory-password' ROLE user",
		"CREATE USER TABLE bench.one (id BIGINT PRIMARY KEY)", "EXECUTE AS USER 'mallory' (INSERT INTO bench.one VALUES (1))"} {
		if _, err := root.exec(sql); err != nil {
			return err
		}
	}
	s.mallory, err = login(s.server.url, "mallory", "mallory-password")
	return err
}

func (s *siege) measure(ctx context.Context) error {
	idleMB, err := s.server.all()
	if err != nil {
		return err
	}
	idle, err := s.victim(ctx, s.span(4*time.Second))
	if err != nil {
		return err
	}
	var under [3]samples
	for _, at := range []int{1, 4} {
		for _, a := range attacks() {
			during, err := s.beside(ctx, func(ctx context.Context) error { return s.send(ctx, a, at) })
			if err != nil {
				return fmt.Errorf("%s, %d at a time: %w", a.name, at, err)
			}
			for i := range under {
				under[i] = append(under[i], during[i]...)
			}
		}
	}
	s.compare("under attack", idle, under)
	if under, err = s.beside(ctx, s.slowReaders); err != nil {
		return err
	}
	s.compare("beside 60 slow readers, 200 idle streams", idle, under)
	late := time.Duration(s.late.Load())
	s.report.line("an attack ends after its limit", ms(late), "", 0, "<= 1 s", late <= time.Second)
	mb := float64(s.most.Load())
	s.report.line("memory of all processes under attack", fmt.Sprintf("%.0f MB", mb), fmt.Sprintf("%.0f MB", idleMB), 0,
		fmt.Sprintf("<= %.0f MB", idleMB+attackMemory+attackRoom), mb <= idleMB+attackMemory+attackRoom)
	return s.leave(ctx)
}

// compare reports the p99 of each statement of the victim.
func (s *siege) compare(when string, idle, under [3]samples) {
	for i, what := range []string{"point read", "INSERT", "count(*)"} {
		ratio := float64(under[i].at(0.99)) / float64(idle[i].at(0.99))
		s.report.line(what+" "+when+", p99", ms(under[i].at(0.99)), ms(idle[i].at(0.99)), ratio, "<= 3x idle", ratio <= 3)
	}
}

// beside runs the victim's statements until disturb has ended.
func (s *siege) beside(ctx context.Context, disturb func(context.Context) error) (during [3]samples, err error) {
	work, ctx := errgroup.WithContext(ctx)
	until, end := context.WithCancel(ctx)
	work.Go(func() error { defer end(); return disturb(ctx) })
	work.Go(func() (err error) { during, err = s.victim(until, time.Hour); return err })
	return during, work.Wait()
}

// victim reads, writes and counts for some time, or until ctx ends.
func (s *siege) victim(ctx context.Context, span time.Duration) (all [3]samples, err error) {
	c, err := s.connect()
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for begin := time.Now(); time.Since(begin) < span && ctx.Err() == nil; {
		for i, request := range [][]byte{
			c.request(sqlBody("SELECT role FROM bench.small WHERE id = $1", 500)),
			c.request(sqlBody(rowSQL(table, s.nextID()))),
			c.request(sqlBody("SELECT count(*) AS n FROM bench.small WHERE id > $1", 10)),
		} {
			took, err := timed(func() error { return c.do(request) })
			if err != nil {
				return all, err
			}
			all[i] = append(all[i], took)
		}
		mb, err := s.server.all()
		if err != nil {
			return all, err
		}
		s.most.Store(max(s.most.Load(), int64(mb)))
	}
	return all, nil
}

// send sends an attack on some connections at once and waits for the ends.
func (s *siege) send(ctx context.Context, a attack, at int) error {
	work, _ := errgroup.WithContext(ctx)
	for range at {
		work.Go(func() (err error) {
			c, err := dial(s.server.url, s.mallory)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			begin := time.Now()
			if _, err := c.c.Write(c.request(sqlBody(a.sql, a.params...))); err != nil {
				return err
			}
			status, err := c.answer()
			if err != nil {
				return err
			}
			late := int64(time.Since(begin) - attackTimeout)
			s.late.Store(max(s.late.Load(), late))
			if status == http.StatusInternalServerError {
				return fmt.Errorf("status %d: %.300s", status, c.buf)
			}
			return nil
		})
	}
	return work.Wait()
}

// slowReaders opens 60 large results of which little is read, and 200 of which nothing is, for five
// seconds.
func (s *siege) slowReaders(ctx context.Context) error {
	const sql = "SELECT i, repeat('x', 1000) AS text FROM range(1000000) r(i)"
	ctx, cancel := context.WithTimeout(ctx, s.span(5*time.Second))
	defer cancel()
	var work sync.WaitGroup
	var failed error
	for i := range 260 {
		c, err := dial(s.server.url, s.mallory)
		if err != nil {
			failed = err
			break
		}
		work.Go(func() {
			defer c.Close()
			if _, err := c.c.Write(c.request(sqlBody(sql))); err != nil {
				return // The server may refuse so many of one user.
			}
			for ctx.Err() == nil {
				if i < 60 {
					if _, err := io.CopyN(io.Discard, c.c, 4<<10); err != nil {
						return
					}
				}
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	work.Wait()
	return failed
}

// leave stops the server while attacks run.
func (s *siege) leave(ctx context.Context) (err error) {
	root, err := dial(s.server.url, s.rootToken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var attackers sync.WaitGroup
	const at = 2
	list := attacks()[:2]
	for _, a := range list {
		attackers.Go(func() { _ = s.send(ctx, a, at) }) // The server ends before it answers.
	}
	begin := time.Now()
	for want := fmt.Sprint(at * len(list)); ; {
		r, err := root.exec("SELECT count(*) AS n FROM system.sessions WHERE user_id = 'mallory'")
		if err != nil {
			return err
		}
		if cell(r, 0) == want {
			break // All are under way.
		}
		if time.Since(begin) > attackTimeout {
			return fmt.Errorf("%s attacks are under way, want %s", cell(r, 0), want)
		}
	}
	took, err := timed(func() error { return s.server.stop(syscall.SIGTERM) })
	attackers.Wait()
	s.report.line("SIGTERM under attack", ms(took), "", 0, "<= "+attackGrace.String(), took <= attackGrace+time.Second)
	return err
}
