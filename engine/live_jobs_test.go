package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// readUntil takes deliveries until something holds.
func (f *follower) readUntil(what string, holds func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for !holds() {
		d, err := f.out.Next(ctx)
		if err != nil || d.Err != nil {
			f.t.Fatalf("%s: %v %v; rows %v", what, err, d.Err, f.rows)
		}
		for _, ev := range d.Events {
			f.take(ev)
		}
	}
}

// statuses returns the state of each job that a follower of all columns has.
func (f *follower) statuses() string {
	n := map[string]int{}
	for _, row := range f.rows {
		n[strings.Trim(strings.Fields(row)[2], `"`)]++
	}
	return fmt.Sprint(n)
}

// TestLiveJobs follows system.jobs: what was there and each state of each job, by conditions
// that are compiled and by those that DuckDB evaluates.
func TestLiveJobs(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY) FLUSH_POLICY 'manual'")
	id := 0
	flush := func(n int) {
		for range n {
			id++
			s.must(userOf("ann"), fmt.Sprintf("INSERT INTO app.t VALUES (%d)", id))
			s.flush()
		}
	}
	flush(3)
	wheres := []string{"job_type = 'flush'", "regexp_matches(job_type, '^fl') AND table_name = 't'"}
	var followers []*follower
	for _, where := range wheres {
		f := s.follow(root, "SELECT * FROM system.jobs WHERE "+where, &live.Options{BatchSize: 2}, true)
		defer f.close()
		if got := f.statuses(); got != "map[completed:3]" {
			t.Fatalf("%s: initial rows %s", where, got)
		}
		followers = append(followers, f)
	}
	last := s.follow(root, "SELECT * FROM system.jobs WHERE job_type = 'flush'", &live.Options{LastRows: 1}, true)
	defer last.close()
	if got := last.statuses(); got != "map[completed:1]" {
		t.Errorf("the last row: %s", got)
	}
	flush(3)
	for i, f := range followers {
		f.readUntil(wheres[i], func() bool { return f.statuses() == "map[completed:6]" })
		var kinds []string
		for _, e := range f.events {
			kinds = append(kinds, strings.Fields(e)[0])
		}
		if got := strings.Join(kinds[:3], " "); got != "insert update update" { // Pending, running, completed.
			t.Errorf("%s: events %s: %v", wheres[i], got, f.events)
		}
	}
}

// TestLiveJobsRights: only who sees jobs follows them, nobody resumes, and other system tables are not followed.
func TestLiveJobsRights(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE VIEW default.v AS SELECT 1 AS one")
	for _, tt := range []struct {
		p    kalam.Principal
		sql  string
		o    *live.Options
		code kalam.Code
	}{
		{userOf("ann"), "SELECT * FROM system.jobs", nil, kalam.CodePermissionDenied},
		{kalam.Principal{User: "svc", Role: kalam.RoleService}, "SELECT * FROM system.jobs", nil,
			kalam.CodePermissionDenied},
		{root, "SELECT * FROM system.users", nil, kalam.CodeUnsupported},
		{root, "SELECT * FROM default.v", nil, kalam.CodeUnsupported},
		{root, "SELECT * FROM system.jobs", &live.Options{From: 5}, kalam.CodeResumeWindow},
		{root, "SELECT nothing FROM system.jobs", nil, kalam.CodeInvalidSQL},
	} {
		_, err := s.Live().Subscribe(context.Background(), tt.p, live.Request{
			Connection: fmt.Sprintf("%032x", connections.Add(1)), ID: "x", SQL: tt.sql, Options: tt.o,
			Outbox: s.Live().NewOutbox(),
		})
		if kalam.CodeOf(err) != tt.code {
			t.Errorf("%s of %s: %v", tt.sql, tt.p.User, err)
		}
	}
	if n := s.Live().Count(); n != 0 {
		t.Errorf("%d live queries are left", n)
	}
}
