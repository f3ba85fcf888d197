package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
)

// TestKillQuery ends a query that DuckDB would compute for minutes: its user and admins see it
// in system.sessions and may end it, others neither see nor end it.
func TestKillQuery(t *testing.T) {
	for _, isolation := range []string{config.IsolationProcess, config.IsolationNone} {
		t.Run(isolation, func(t *testing.T) {
			s := newServer(t, func(c *config.Config) { c.Query.Isolation = isolation })
			alice, bob := userOf("alice"), userOf("bob")
			for _, killer := range []kalam.Principal{alice, root} {
				ended := make(chan error, 1)
				go func() {
					_, err := s.try(alice, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 12345")
					ended <- err
				}()
				const running = "SELECT session_id, user_id, query, backend_pid FROM system.sessions WHERE state = 'running'" +
					" AND query LIKE '%a.range%' AND query NOT LIKE '%system.sessions%'"
				var rows [][]string
				eventually.True(t, "the query runs", func() bool {
					rows = s.must(alice, running).rows
					return len(rows) == 1
				})
				id, query := strings.Trim(rows[0][0], `"`), rows[0][2]
				if rows[0][1] != `"alice"` || strings.Contains(query, "12345") || rows[0][3] == "null" {
					t.Errorf("alice sees %v", rows[0])
				}
				// Between its steps (parse, describe, run) a query waits for a worker.
				eventually.True(t, "root sees that the query runs", func() bool { return len(s.must(root, running).rows) == 1 })
				if rows := s.must(bob, running).rows; len(rows) != 0 {
					t.Errorf("bob sees %v", rows)
				}
				if _, err := s.try(bob, "KILL QUERY '"+id+"'"); kalam.CodeOf(err) != kalam.CodeNotFound {
					t.Errorf("bob's KILL: %v", err)
				}
				s.must(killer, "KILL QUERY '"+id+"'")
				select {
				case err := <-ended:
					if kalam.CodeOf(err) != kalam.CodeCanceled || !strings.Contains(err.Error(), "KILL QUERY") {
						t.Errorf("the query ended with %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the query goes on")
				}
				if _, err := s.try(killer, "KILL QUERY '"+id+"'"); kalam.CodeOf(err) != kalam.CodeNotFound {
					t.Errorf("a second KILL: %v", err)
				}
			}
		})
	}
}
