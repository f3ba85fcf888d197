package session

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/session/cache"
	"github.com/kalamlake/kalam/systables"
)

// clearCache runs CLEAR CACHE. Statements under way keep what they have.
func (s *Session) clearCache() error {
	if err := access.Check(s.Principal, access.ClearCaches); err != nil {
		return err
	}
	plans, conditions := s.Query.ClearPlans()
	plans += s.server.points.Clear()
	cleared := []struct {
		name    string
		entries int
	}{
		{"session", s.server.cache.Clear()}, {"query_plan", plans}, {"filter", conditions},
		{"manifest", s.server.Lake.ForgetChecks()},
	}
	var rows [][]kalam.Value
	var words []string
	for _, c := range cleared {
		rows = append(rows, []kalam.Value{kalam.Text(c.name), systables.Int(c.entries)})
		words = append(words, fmt.Sprintf("%s=%d", c.name, c.entries))
	}
	return s.listing(systables.Columns(`cache_type TEXT, entries_cleared BIGINT`), rows,
		"Caches cleared: "+strings.Join(words, ", "))
}

// ForgetUser drops what is kept of a user who is removed: the sessions, and the texts of statements,
// whose literals may be the user's and which are kept without saying whose they are.
func (srv *Server) ForgetUser(user kalam.UserID) {
	srv.cache.Forget(user)
	srv.points.Clear()
	srv.Reader.Query.ClearPlans()
}

// CacheStats returns the counters and gauges of the session cache.
func (srv *Server) CacheStats() cache.Stats { return srv.cache.Stats() }
