package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestSettingsEndWithTheirRequest changes settings and prepares statements in one request, which has them, and finds
// nothing of it in the next: HTTP requests share no session, not even those of one user.
func TestSettingsEndWithTheirRequest(t *testing.T) {
	h := start(t, setup{})
	root, alice := h.root(), h.user("alice", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, dt DATETIME)")
	h.mustSQL(alice, "INSERT INTO app.t VALUES (1, '2026-06-30 22:30')")
	const show = "SHOW timezone; SELECT dt::TEXT AS s FROM app.t"
	zone := "SET TIME ZONE 'Europe/Berlin'; " + show +
		"; PREPARE q AS SELECT id FROM app.t WHERE dt = $1; EXECUTE q('2026-07-01 00:30')"
	for range 2 {
		if got := string(h.sql(alice, zone).body); !strings.Contains(got, "2026-07-01 00:30:00+02") ||
			!strings.Contains(got, "Europe/Berlin") {
			t.Errorf("in the zone: %s", got)
		}
		if got := string(h.sql(alice, show).body); !strings.Contains(got, "2026-06-30 22:30:00+00") ||
			!strings.Contains(got, `"UTC"`) {
			t.Errorf("in the next request: %s", got)
		}
		r := h.sql(alice, "EXECUTE q('2026-07-01 00:30')")
		if r.status != http.StatusBadRequest || !strings.Contains(string(r.body), "prepared statement 'q' does not exist") {
			t.Errorf("EXECUTE in the next request: %d %s", r.status, r.body)
		}
	}
}
