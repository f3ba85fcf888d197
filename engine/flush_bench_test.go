package engine_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/session"
)

// fillUsers gives each of users three rows of a chat.
func (s *server) fillUsers(users int) {
	s.t.Helper()
	var g errgroup.Group
	g.SetLimit(64)
	for i := range users {
		g.Go(func() error {
			var c collector
			sql := fmt.Sprintf("INSERT INTO app.t VALUES %s, %s, %s", valuesOf(int64(3*i)), valuesOf(int64(3*i+1)),
				valuesOf(int64(3*i+2)))
			return s.Execute(context.Background(), userOf(fmt.Sprintf("user%06d", i)), session.Request{SQL: sql}, &c)
		})
	}
	if err := g.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// latencies are how long statements took.
type latencies []time.Duration

// quantile returns the time below which the share q of them stayed.
func (l latencies) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// beside runs single inserts and reads by key, one after the other, until stop is
// called, which returns how long each took.
func (s *server) beside() (stop func() (inserts, reads latencies)) {
	var inserts, reads latencies
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		p := userOf("beside")
		for ctx.Err() == nil {
			id := s.ids.Add(1)
			for _, st := range []struct {
				sql   string
				times *latencies
			}{
				{fmt.Sprintf("INSERT INTO app.b VALUES (%d, 'some words')", id), &inserts},
				{fmt.Sprintf("SELECT v FROM app.b WHERE id = %d", id), &reads},
			} {
				start := time.Now()
				var c collector
				if err := s.Execute(context.Background(), p, session.Request{SQL: st.sql}, &c); err != nil {
					s.t.Error(err)
					return
				}
				*st.times = append(*st.times, time.Since(start))
			}
			<-time.After(time.Millisecond)
		}
	})
	return func() (latencies, latencies) {
		cancel()
		wg.Wait()
		return inserts, reads
	}
}

const manyUsersTable = "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL," +
	" role TEXT NOT NULL, content TEXT NOT NULL, created_at TIMESTAMP NOT NULL) FLUSH_POLICY 'manual'"

// BenchmarkFlushManyUsers flushes 2,000 users with three rows each, in a real
// buffer and a real storage, while single statements run beside it.
func BenchmarkFlushManyUsers(b *testing.B) {
	const users = 2000
	s := newServer(b, manual)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, manyUsersTable)
	s.must(root, "CREATE USER TABLE app.b (id BIGINT PRIMARY KEY, v TEXT)")
	stop := s.beside()
	<-time.After(2 * time.Second)
	idleInserts, idleReads := stop()
	var inserts, reads latencies
	n := 0
	for b.Loop() {
		b.StopTimer()
		s.must(root, "DROP TABLE app.t")
		s.must(root, manyUsersTable)
		s.fillUsers(users)
		stop := s.beside()
		b.StartTimer()
		r := s.must(root, "STORAGE FLUSH TABLE app.t")
		if j := s.await(r.jobs[0]); j.Status != kalam.JobCompleted {
			b.Fatalf("job is %s: %s", j.Status, j.Error)
		}
		b.StopTimer()
		moreInserts, moreReads := stop()
		inserts, reads = append(inserts, moreInserts...), append(reads, moreReads...)
		n++
		b.StartTimer()
	}
	b.ReportMetric(float64(n*users)/b.Elapsed().Seconds(), "users/s")
	for _, m := range []struct {
		name       string
		busy, idle latencies
	}{{"insert", inserts, idleInserts}, {"read", reads, idleReads}} {
		b.ReportMetric(float64(m.idle.quantile(0.99).Microseconds()), m.name+"-idle-p99-µs")
		b.ReportMetric(float64(m.busy.quantile(0.5).Microseconds()), m.name+"-p50-µs")
		b.ReportMetric(float64(m.busy.quantile(0.99).Microseconds()), m.name+"-p99-µs")
		b.ReportMetric(float64(m.busy.quantile(1).Microseconds()), m.name+"-max-µs")
	}
}
