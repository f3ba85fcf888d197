package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// mint asks for a token; body is JSON.
func (h *harness) mint(token, body string, headers ...string) (wire.TokenResponse, response) {
	h.t.Helper()
	res := h.do("POST", "/v1/api/auth/token", token, body, headers...)
	var out wire.TokenResponse
	if res.status == http.StatusOK {
		decode(h.t, res.body, &out)
	}
	return out, res
}

// TestMintedTokens has tokens made for users, uses them, and asks for those that are refused.
func TestMintedTokens(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'of alice', 1)")
	svc := h.user("svc", kalam.RoleService)
	h.user("svc2", kalam.RoleService)
	chief := h.user("chief", kalam.RoleDBA)
	minted, res := h.mint(svc, `{"user":"alice","scopes":{"tables":["app.notes"]},"expires_in":60}`)
	if res.status != http.StatusOK || minted.TokenType != "Bearer" || minted.User != "alice" {
		t.Fatalf("%d %s", res.status, res.body)
	}
	out := h.mustSQL(minted.AccessToken, "SELECT body, CURRENT_USER() AS u, CURRENT_ROLE() AS r FROM app.notes")
	if got := fmt.Sprintf("%s", out.Results[0].Rows); got != `[["of alice" "alice" "user"]]` {
		t.Errorf("rows %s", got)
	}
	p := h.enter(minted.AccessToken, "")
	p.subscribe("s", "SELECT * FROM app.notes", nil)
	p.read()
	for _, sql := range []string{"SELECT * FROM system.jobs", "CREATE API KEY 'k' FOR USER alice", "REVOKE TOKENS FOR USER alice",
		"SELECT * FROM app.shared", "EXPORT USER DATA"} {
		if res := h.sql(minted.AccessToken, sql); res.status == http.StatusOK {
			t.Errorf("%s: %s", sql, res.body)
		}
	}
	free, _ := h.mint(svc, `{"user":"alice"}`)
	h.mustSQL(free.AccessToken, "INSERT INTO app.notes VALUES (2, 'x', 2)")
	equal, _ := h.mint(svc, `{"user":"svc2"}`)
	if out := h.mustSQL(equal.AccessToken, "SELECT CURRENT_ROLE() AS r"); fmt.Sprintf("%s", out.Results[0].Rows) != `[["user"]]` {
		t.Errorf("role in force: %s", out.Results[0].Rows)
	}
	for _, tt := range []struct {
		token, body string
		status      int
	}{
		{alice, `{"user":"alice"}`, http.StatusForbidden}, {svc, `{"user":"chief"}`, http.StatusForbidden},
		{svc, `{"user":"root"}`, http.StatusForbidden}, {chief, `{"user":"root"}`, http.StatusForbidden},
		{svc, `{"user":"nobody"}`, http.StatusNotFound}, {h.root(), `{"user":"system"}`, http.StatusNotFound},
		{svc, `{"user":""}`, http.StatusBadRequest}, {svc, `{"user":"a/b"}`, http.StatusBadRequest}, {svc, `{}`, http.StatusBadRequest},
		{svc, `{"user":"alice","expires_in":0}`, http.StatusBadRequest}, {svc, `{"user":"alice","expires_in":-5}`, http.StatusBadRequest},
		{svc, `{"user":"alice","expires_in":3601}`, http.StatusBadRequest},
		{svc, `{"user":"alice","scopes":{"namespaces":["a, read only"]}}`, http.StatusBadRequest},
		{svc, `{"user":"alice","scopes":{"tables":["notes"]}}`, http.StatusBadRequest},
		{svc, `{"user":"alice","scopes":{"all":true}}`, http.StatusBadRequest}, {svc, `{"user":"alice","role":"dba"}`, http.StatusBadRequest},
		{svc, `{"user":"alice","scopes":{"tables":["a.b"` + strings.Repeat(`,"a.b"`, 100) + `]}}`, http.StatusBadRequest},
		{free.AccessToken, `{"user":"alice"}`, http.StatusForbidden}, {"garbage", `{"user":"alice"}`, http.StatusUnauthorized},
		{"", `{"user":"alice"}`, http.StatusUnauthorized},
	} {
		if _, res := h.mint(tt.token, tt.body); res.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.body, res.status, res.body, tt.status)
		}
	}
	if res := h.do("POST", "/v1/api/auth/refresh", free.AccessToken, nil); res.status != http.StatusUnauthorized {
		t.Errorf("a minted token refreshes: %d", res.status)
	}
	h.do("POST", "/v1/api/auth/logout", free.AccessToken, nil)
	h.mustSQL(alice, "SELECT 1") // Which ends nothing of the user's.
	if log := h.log.String(); !strings.Contains(log, "token minted") || strings.Contains(log, free.AccessToken) {
		t.Error("minting is not in the log, or its token is")
	}
	h.clock.move(3 * time.Minute) // Its life and the leeway of clocks.
	if res := h.sql(minted.AccessToken, "SELECT 1"); res.status != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", res.status)
	}
}

// TestMintedTokensEnd ends what a token was minted by, or for: the token ends at once, with its sockets.
func TestMintedTokensEnd(t *testing.T) {
	h, _ := live(t, setup{})
	byToken := func(svc string) []string {
		return []string{"Authorization", "Bearer " + h.login(svc, svc+"-password").AccessToken}
	}
	byKey := func(svc string) []string {
		return []string{"X-API-Key", h.createKey(h.root(), "k", "FOR USER "+svc).Text}
	}
	sql := func(text string) func(string, []string) {
		return func(n string, _ []string) { h.mustSQL(h.root(), strings.ReplaceAll(text, "$", n)) }
	}
	for i, tt := range []struct {
		name string
		by   func(string) []string
		end  func(n string, header []string)
	}{
		{"logout of the service", byToken, func(_ string, header []string) {
			h.do("POST", "/v1/api/auth/logout", strings.TrimPrefix(header[1], "Bearer "), nil)
		}},
		{"role of the service", byToken, sql("ALTER USER svc$ SET ROLE user")},
		{"role of the service, by key", byKey, sql("ALTER USER svc$ SET ROLE user")},
		{"drop of the service", byKey, sql("DROP USER svc$")},
		{"drop of the key", byKey, func(n string, _ []string) {
			for _, k := range h.engine.Catalog().Keys() {
				if string(k.User) == "svc"+n {
					h.mustSQL(h.root(), "DROP API KEY '"+k.ID+"'")
				}
			}
		}},
		{"tokens of the user", byKey, sql("REVOKE TOKENS FOR USER u$")},
		{"drop of the user", byToken, sql("DROP USER u$")},
		{"rank of the user", byToken, sql("ALTER USER u$ SET ROLE dba")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := fmt.Sprint(i)
			h.user("svc"+n, kalam.RoleService)
			h.user("u"+n, kalam.RoleUser)
			header := tt.by("svc" + n)
			minted, res := h.mint("", `{"user":"u`+n+`"}`, header...)
			if res.status != http.StatusOK {
				t.Fatalf("%d %s", res.status, res.body)
			}
			p := h.enter(minted.AccessToken, "")
			tt.end(n, header)
			p.wantClose(websocket.StatusPolicyViolation, "")
			if res := h.sql(minted.AccessToken, "SELECT 1"); res.status != http.StatusUnauthorized {
				t.Errorf("after the end: %d", res.status)
			}
		})
	}
}
