package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
)

// TestSocketsEndWithTheIdentity ends an identity in every way: its sockets close
// at once, and neither what was under way nor what comes is served (case N7).
func TestSocketsEndWithTheIdentity(t *testing.T) {
	ways := map[string]func(h *harness, name, token string){
		"logout": func(h *harness, _, token string) { h.do("POST", "/v1/api/auth/logout", token, nil) },
		"password": func(h *harness, name, _ string) {
			h.mustSQL(h.root(), "ALTER USER '"+name+"' SET PASSWORD 'another-password'")
		},
		"role": func(h *harness, name, _ string) { h.mustSQL(h.root(), "ALTER USER '"+name+"' SET ROLE service") },
		"drop": func(h *harness, name, _ string) { h.mustSQL(h.root(), "DROP USER '"+name+"'") },
		"update": func(h *harness, name, _ string) {
			h.mustSQL(h.root(), "UPDATE system.users SET role = 'service' WHERE user_id = $1", name)
		},
		"delete": func(h *harness, name, _ string) {
			h.mustSQL(h.root(), "DELETE FROM system.users WHERE user_id = $1", name)
		},
	}
	h, _ := live(t, setup{config: func(c *config.Config) { c.WebSocket.HeartbeatIntervalSecs = 3600 }})
	for way, end := range ways {
		t.Run(way, func(t *testing.T) {
			token := h.user(way, kalam.RoleUser)
			idle, busy := h.enter(token, ""), h.enter(token, "")
			busy.subscribe("s", "SELECT id FROM app.notes", nil)
			busy.read()
			end(h, way, token)
			if way != "drop" && way != "delete" { // Who does not exist gets no rows.
				h.mustSQL(h.root(), "EXECUTE AS USER '"+way+"' (INSERT INTO app.notes VALUES (1, 'secret', 1))")
			}
			for _, p := range []*peer{idle, busy} {
				for _, f := range p.wantClose(websocket.StatusPolicyViolation, "") {
					if strings.Contains(f, `"change"`) {
						t.Errorf("served after the end: %s", f)
					}
				}
			}
		})
	}
}

// TestDroppedUsersKeepTheirRank keeps a service from reading the rows of a dba
// that was dropped. Case N7.
func TestDroppedUsersKeepTheirRank(t *testing.T) {
	h, _ := live(t, setup{})
	service := h.user("svc", kalam.RoleService)
	h.mustSQL(h.user("chief", kalam.RoleDBA), "INSERT INTO app.notes VALUES (1, 'canary', 1)")
	h.mustSQL(h.root(), "DROP USER chief")
	for _, res := range []response{
		h.sql(service, "EXECUTE AS USER 'chief' (SELECT * FROM app.notes)"),
		h.do("POST", "/v1/api/sql", service, map[string]any{"sql": "SELECT * FROM app.notes"}, "X-User-Id", "chief"),
	} {
		if res.status != http.StatusForbidden || strings.Contains(res.body, "canary") {
			t.Errorf("%d %s", res.status, res.body)
		}
	}
}

// TestUserRows makes users by rows, over HTTP: nobody logs in before there is a password.
func TestUserRows(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	in := h.mustSQL(root, "INSERT INTO system.users (user_id, username, metadata) VALUES ($1, $2, $3), ('v', 'V', NULL)", "u", "U", `{"a": 1}`)
	if in.Results[0].RowCount != 2 {
		t.Errorf("INSERT: %+v", in.Results[0])
	}
	login := func(password string) int {
		return h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": "u", "password": password}).status
	}
	for _, password := range []string{"", "u-password"} {
		if got := login(password); got == http.StatusOK {
			t.Errorf("a user without a password logs in with %q", password)
		}
	}
	h.mustSQL(root, "ALTER USER u SET PASSWORD 'u-password'")
	if got := login("u-password"); got != http.StatusOK {
		t.Errorf("login: %d", got)
	}
	if got := h.sql(root, "INSERT INTO system.users (user_id, username) VALUES ('u', 'again')"); got.status != http.StatusConflict &&
		got.status != http.StatusBadRequest || !strings.Contains(got.body, "User with user_id 'u' already exists") {
		t.Errorf("INSERT of a user who is there: %d %s", got.status, got.body)
	}
	if got := h.sql(h.login("u", "u-password").AccessToken, "DELETE FROM system.users WHERE user_id = 'v'"); got.status != http.StatusForbidden {
		t.Errorf("DELETE as a user: %d %s", got.status, got.body)
	}
	if out := h.mustSQL(root, "DELETE FROM system.users WHERE user_id IN ($1, $2)", "u", "v"); out.Results[0].RowCount != 2 {
		t.Errorf("DELETE: %+v", out.Results[0])
	}
	if got := login("u-password"); got == http.StatusOK {
		t.Error("a deleted user logs in")
	}
}

// TestSecretsAreNotShown sends statements about users that fail in every way: no
// answer shows the password. Case N7.
func TestSecretsAreNotShown(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	h.mustSQL(root, "CREATE USER u WITH PASSWORD 'a-long-password' ROLE user")
	const secret = "5ecret-w0rd-of-u"
	for _, form := range []string{
		"CREATE USER u WITH PASSWORD '%s' ROLE user",
		"CREATE USER v WITH PASSWORD '%s' ROLE nosuch",
		"CREATE USER v WITH PASSWORD '%s' ROLE user EXTRA",
		"CREATE USER v PASSWORD = '%s', ROLE",
		"CREATE USER v WITH PASWORD '%s' ROLE user",
		"CREATE USER v WITH PASSWORD %s ROLE user",
		"CREATE USER v WITH PASSWORD \"%s\" ROLE user",
		"CREATE USER v WITH PASSWORD $$%s$$ ROLE",
		"CREATE USER v IDENTIFIED BY '%s'x",
		"CREATE USER v IDENTIFED BY '%s'",
		"CREATE USER '%s'",
		"CREATE USR v WITH PASSWORD '%s'",
		"CRATE USER v WITH PASSWORD '%s'",
		"CREATE USER v WITH PASSWORD '%s",
		"ALTER USER nobody SET PASSWORD '%s'",
		"ALTER USER u SET PASSWORD '%s' nonsense",
		"ALTER USER u SET PASSWORD = concat('%s')",
		"ALTER USER u SET PASSWROD '%s'",
		"ALTER USER u IDENTIFIED WITH '%s'",
		"BEGIN; CREATE USER v WITH PASSWORD '%s'; COMMIT",
		"SELECT 1; CREATE USER u WITH PASSWORD '%s'",
		"EXECUTE AS USER 'u' (CREATE USER v WITH PASSWORD '%s')",
		"INSERT INTO system.users (user_id, password) VALUES ('v', '%s')",
		"UPDATE system.users SET password = '%s' WHERE user_id = 'u'",
		"CREATE USER v WITH OAUTH '%s'",
		"CREATE STORAGE s TYPE s3 CREDENTIALS '%s' URI",
	} {
		sql := fmt.Sprintf(form, secret)
		res := h.sql(root, sql)
		if res.status == http.StatusOK {
			t.Errorf("%s succeeds", sql)
		}
		if strings.Contains(res.body, secret) || strings.Contains(res.body, "5ecret") {
			t.Errorf("%s:\n%s", sql, res.body)
		}
	}
}

// TestKillTellsNothing gives the same answer for a live query of another user
// that exists and one that does not. Case N7.
func TestKillTellsNothing(t *testing.T) {
	h, alice := live(t, setup{})
	mallory := h.user("mallory", kalam.RoleUser)
	p := h.enter(alice, "")
	p.subscribe("a", "SELECT id FROM app.notes", nil)
	p.read()
	id := h.liveID(alice, "a")
	gone := strings.TrimSuffix(id, "a") + "b"
	answers := map[string]bool{}
	for _, id := range []string{id, gone, "alice-x", "nobody"} {
		res := h.sql(mallory, "KILL LIVE QUERY '"+id+"'")
		var out wire.Response
		decode(t, res.body, &out)
		answers[fmt.Sprint(res.status, out.Error.Code)] = true
	}
	if len(answers) != 1 {
		t.Errorf("answers %v", answers)
	}
	if res := h.sql(alice, "KILL LIVE QUERY '"+gone+"'"); !strings.Contains(res.body, "not found") {
		t.Errorf("%s", res.body)
	}
	h.mustSQL(alice, "KILL LIVE QUERY '"+id+"'")
}

// TestGuessingLocksNobodyElse guesses passwords through a proxy of this machine: the
// address that guesses is locked, for names that exist as for those that do not, and
// the users log in from elsewhere. system.users shows it. Case N7.
func TestGuessingLocksNobodyElse(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxAuthPerIP = 0 }})
	h.user("ann", kalam.RoleUser)
	login := func(user, password, from string) string {
		var headers []string
		if from != "" {
			headers = []string{"X-Forwarded-For", from}
		}
		res := h.do("POST", "/v1/api/auth/login", "", map[string]string{"user": user, "password": password}, headers...)
		if res.status == http.StatusOK {
			return "in"
		}
		var out wire.PlainError
		decode(t, res.body, &out)
		return fmt.Sprint(res.status, " ", out.Error, ": ", out.Message)
	}
	const wrong, locked = "401 unauthorized: Invalid credentials",
		"401 account_locked: Account locked. Try again in 15 minute(s)"
	for _, user := range []string{"ann", "nobody", "root"} {
		for range 5 {
			if got := login(user, "wrong", "203.0.113.9"); got != wrong {
				t.Errorf("%s: %s", user, got)
			}
		}
		if got := login(user, "ann-password", "203.0.113.9"); got != locked {
			t.Errorf("%s: %s", user, got)
		}
	}
	for range 10 {
		if got := login("root", "wrong", ""); got != wrong {
			t.Errorf("root at home: %s", got)
		}
	}
	for user, password := range map[string]string{"ann": "ann-password", "root": rootPassword} {
		for _, from := range []string{"", "203.0.113.10"} {
			if got := login(user, password, from); got != "in" {
				t.Errorf("%s from %q: %s", user, from, got)
			}
		}
	}
	out := h.mustSQL(h.root(),
		"SELECT failed_login_attempts, locked_until IS NULL, last_login_at IS NULL FROM system.users WHERE user_id IN ('ann', 'system') ORDER BY user_id")
	if got := fmt.Sprintf("%s", out.Results[0].Rows); got != "[[5 false false] [0 true true]]" {
		t.Errorf("system.users: %s", got)
	}
}

// TestRefreshTokensRotate uses refresh tokens twice: the second use is refused. A while
// after the first it ends everything that descends from the login, sockets too, and
// nothing of other logins (case N7).
func TestRefreshTokensRotate(t *testing.T) {
	h, _ := live(t, setup{config: func(c *config.Config) { c.WebSocket.HeartbeatIntervalSecs = 3600 }})
	h.user("ann", kalam.RoleUser)
	refresh := func(token string) (wire.LoginResponse, int) {
		var out wire.LoginResponse
		res := h.do("POST", "/v1/api/auth/refresh", token, nil)
		if res.status == http.StatusOK {
			decode(t, res.body, &out)
		}
		return out, res.status
	}
	first, other := h.login("ann", "ann-password"), h.login("ann", "ann-password")
	if first.AccessToken == other.AccessToken || first.RefreshToken == other.RefreshToken {
		t.Error("two logins have one token")
	}
	second, status := refresh(first.RefreshToken)
	if status != http.StatusOK || second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Fatalf("refresh: %d", status)
	}
	// A client that lost the answer: refused, but nothing ends.
	if _, status := refresh(first.RefreshToken); status != http.StatusUnauthorized {
		t.Errorf("at once: %d", status)
	}
	third, status := refresh(second.RefreshToken)
	if status != http.StatusOK {
		t.Fatalf("refresh of the refreshed: %d", status)
	}
	sockets := []*peer{h.enter(third.AccessToken, ""), h.enter(other.AccessToken, "")}
	h.clock.move(time.Minute)
	h.mustSQL(third.AccessToken, "SELECT 1")
	if _, status := refresh(first.RefreshToken); status != http.StatusUnauthorized {
		t.Errorf("later: %d", status)
	}
	sockets[0].wantClose(websocket.StatusPolicyViolation, "")
	for _, token := range []string{first.RefreshToken, second.RefreshToken, third.RefreshToken} {
		if _, status := refresh(token); status != http.StatusUnauthorized {
			t.Errorf("a token of the family: %d", status)
		}
	}
	for _, token := range []string{first.AccessToken, third.AccessToken} {
		if res := h.sql(token, "SELECT 1"); res.status != http.StatusUnauthorized {
			t.Errorf("an access token of the family: %d", res.status)
		}
	}
	h.mustSQL(other.AccessToken, "SELECT 1")
	sockets[1].subscribe("s", "SELECT id FROM app.notes", nil)
	sockets[1].read()
	if _, status := refresh(other.RefreshToken); status != http.StatusOK {
		t.Errorf("another login: %d", status)
	}
}
