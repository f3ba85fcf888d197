package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestProfiles gives profiles to admins from this machine, and to nobody else.
func TestProfiles(t *testing.T) {
	h := start(t, setup{})
	root, dba, user := h.root(), h.user("dora", kalam.RoleDBA), h.user("anna", kalam.RoleUser)
	for _, c := range []struct {
		path, token, forwarded string
		want                   int
	}{
		{"heap", root, "", 200}, {"goroutine", dba, "", 200}, {"profile?seconds=1", root, "", 200}, {"none", root, "", 404},
		{"profile?seconds=0", root, "", 400}, {"profile?seconds=61", root, "", 400}, {"profile?seconds=x", root, "", 400},
		{"heap", user, "", 403}, {"heap", "", "", 403}, {"heap", root, "203.0.113.7", 403}, {"none", user, "", 403},
		{"cmdline", root, "", 404},
	} {
		var headers []string
		if c.forwarded != "" {
			headers = []string{"X-Forwarded-For", c.forwarded}
		}
		res := h.do("GET", "/debug/pprof/"+c.path, c.token, nil, headers...)
		if res.status != c.want {
			t.Errorf("%s %q: %d, want %d: %.200s", c.path, c.forwarded, res.status, c.want, res.body)
		}
		// A profile is compressed by gzip.
		if res.status == http.StatusOK && !strings.HasPrefix(res.body, "\x1f\x8b") {
			t.Errorf("%s is no profile: %.20q", c.path, res.body)
		}
	}
}
