package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
)

// TestLiveDeadline is case N6: a live condition that DuckDB does not come to an end with
// ends its own subscription, by name; another user's live query goes on meanwhile.
func TestLiveDeadline(t *testing.T) {
	s := newServer(t, func(c *config.Config) {
		c.Query.TimeoutSeconds = 1
		c.Query.Isolation = config.IsolationProcess
	})
	alice, bob := userOf("alice"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
	slow := s.follow(alice, "SELECT * FROM app.t WHERE levenshtein(body, reverse(body)) < 0", nil, false)
	defer slow.close()
	quick := s.follow(bob, "SELECT * FROM app.t WHERE regexp_matches(body, '^b')", nil, false)
	defer quick.close()
	start := time.Now()
	s.must(alice, "INSERT INTO app.t VALUES (1, '"+strings.Repeat("ab", 200_000)+"')")
	s.must(bob, "INSERT INTO app.t VALUES (1, 'bb')")
	quick.read(1)
	first := time.Since(start)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d, err := slow.out.Next(ctx)
	if err != nil || kalam.CodeOf(d.Err) != kalam.CodeTimeout {
		t.Errorf("the slow condition ends with %v, %v", d.Err, err)
	}
	t.Logf("bob's event came after %v, alice's end after %v", first, time.Since(start))
	s.must(bob, "INSERT INTO app.t VALUES (2, 'bbb')")
	quick.read(2)
}
