package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// audited waits for what was noted, and returns a line of each record.
func (h *harness) audited() (lines []string) {
	h.t.Helper()
	if err := h.engine.Audit().Settle(h.t.Context(), false); err != nil {
		h.t.Fatal(err)
	}
	err := h.engine.Audit().Newest(h.t.Context(), 1<<20, func(r audit.Record) error {
		lines = append(lines, strings.Join([]string{r.Action, r.Outcome, r.Actor, r.User, r.Subject, r.Target}, "|"))
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return lines
}

// wantAudited waits until the log has a record that begins with a line.
func (h *harness) wantAudited(want string) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("the audit log:\n%s", strings.Join(h.audited(), "\n"))
		}
	}()
	eventually.True(h.t, "a record "+want, func() bool {
		return slices.ContainsFunc(h.audited(), func(line string) bool { return strings.HasPrefix(line, want) })
	})
}

// TestAuditStatements runs one statement of each kind that is audited, and one of each that is not.
func TestAuditStatements(t *testing.T) {
	h := start(t, setup{})
	root, svc := h.root(), h.user("svc", kalam.RoleService)
	ann := h.user("ann", kalam.RoleUser)
	for _, c := range []struct{ token, sql, want string }{
		{root, "CREATE NAMESPACE app", "CREATE NAMESPACE|ok|root|root||app"},
		{root, "ALTER NAMESPACE app SET OPTIONS (a = 1)", "ALTER NAMESPACE|ok|root|root||app"},
		{root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, a TEXT)", "CREATE TABLE|ok|root|root||app.t"},
		{root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)", "CREATE TABLE|already_exists|root|root||app.t"},
		{root, "CREATE SHARED TABLE app.priv (id BIGINT PRIMARY KEY)", "CREATE TABLE|ok|root|root||app.priv"},
		{root, "ALTER TABLE app.t ADD COLUMN b TEXT", "ALTER TABLE|ok|root|root||app.t"},
		{root, "CREATE VIEW app.v AS SELECT a FROM app.t", "CREATE VIEW|ok|root|root||app.v"},
		{root, "DROP VIEW app.v", "DROP VIEW|ok|root|root||app.v"},
		{ann, "CREATE SHARED TABLE app.x (id BIGINT PRIMARY KEY)", "CREATE TABLE|denied|ann|ann||app.x"},
		{ann, "DROP TABLE app.t", "DROP TABLE|denied|ann|ann||app.t"},
		{root, "CREATE USER bob WITH PASSWORD 'bobs-password-1' ROLE user", "CREATE USER|ok|root|root|bob"},
		{root, "ALTER USER bob SET PASSWORD 'bobs-password-2'", "ALTER USER|ok|root|root|bob"},
		{root, "ALTER USER bob SET ROLE service", "ALTER USER|ok|root|root|bob"},
		{root, "DROP USER bob", "DROP USER|ok|root|root|bob"},
		{root, "ALTER USER bob RESTORE", "ALTER USER|ok|root|root|bob"},
		{svc, "DROP USER bob", "DROP USER|denied|svc|svc|bob"},
		{root, "UPDATE system.users SET email = 'x@y.z' WHERE user_id = 'bob'", "UPDATE|ok|root|root|bob|system.users"},
		{root, "INSERT INTO system.users (user_id, username, role) VALUES ('eve', 'eve', 'user')", "INSERT|ok|root|root|eve|system.users"},
		{root, "DELETE FROM system.users WHERE user_id = 'eve'", "DELETE|ok|root|root|eve|system.users"},
		{svc, "UPDATE system.users SET role = 'system' WHERE user_id = 'svc'", "UPDATE|denied|svc|svc|svc|system.users"},
		{root, "DROP USER eve PURGE", "DROP USER|ok|root|root|eve"},
		{root, "SELECT 1", "PURGE USER|ok|system||eve"},
		{root, "GRANT SELECT ON TABLE app.priv TO USER bob", "GRANT|ok|root|root|bob|app.priv"},
		{root, "REVOKE SELECT ON TABLE app.priv FROM USER bob", "REVOKE|ok|root|root|bob|app.priv"},
		{ann, "GRANT SELECT ON TABLE app.priv TO ROLE user", "GRANT|denied|ann|ann|role user|app.priv"},
		{root, "CREATE POLICY p ON app.priv TO USER bob USING (id > 7)", "CREATE POLICY|ok|root|root|bob|app.priv"},
		{ann, "DROP POLICY p ON app.priv", "DROP POLICY|denied|ann|ann||app.priv"},
		{root, "DROP POLICY p ON app.priv", "DROP POLICY|ok|root|root||app.priv"},
		{root, "TRUNCATE TABLE app.priv", "TRUNCATE|ok|root|root||app.priv"},
		{root, "CREATE API KEY 'k1' FOR USER ann", "CREATE API KEY|ok|root|root|ann|k1"},
		{root, "DROP API KEY 'none'", "DROP API KEY|not_found|root|root||none"},
		{root, "REVOKE TOKENS FOR USER bob", "REVOKE TOKENS|ok|root|root|bob"},
		{ann, "REVOKE TOKENS FOR USER bob", "REVOKE TOKENS|denied|ann|ann|bob"},
		{svc, "STORAGE FLUSH TABLE app.t", "STORAGE FLUSH TABLE|ok|svc|svc||app.t"},
		{root, "STORAGE FLUSH ALL", "STORAGE FLUSH ALL|ok|root|root"},
		{ann, "STORAGE COMPACT TABLE app.t", "STORAGE COMPACT TABLE|denied|ann|ann||app.t"},
		{root, "STORAGE COMPACT TABLE app.t", "STORAGE COMPACT TABLE|ok|root|root||app.t"},
		{root, "STORAGE VERIFY", "STORAGE VERIFY|ok|root|root"},
		{root, "STORAGE CHECK local", "STORAGE CHECK|ok|root|root||local"},
		{root, "KILL JOB 'FL-000000000000'", "KILL JOB|not_found|root|root||FL-000000000000"},
		{ann, "KILL JOB 'FL-000000000000'", "KILL JOB|denied|ann|ann||FL-000000000000"},
		{root, "KILL QUERY 'q1'", "KILL QUERY|not_found|root|root||q1"},
		{root, "CLEAR CACHE", "CLEAR CACHE|ok|root|root"},
		{ann, "BACKUP DATABASE TO '/nowhere'", "BACKUP DATABASE|denied|ann|ann||/nowhere"},
		{ann, "EXPORT USER DATA", "EXPORT USER DATA|ok|ann|ann"},
		{root, "DROP STORAGE s9", "DROP STORAGE|not_found|root|root||s9"},
		{ann, "SELECT * FROM system.users", "SELECT|denied|ann|ann"},
		{ann, "SELECT * FROM app.priv", "SELECT|denied|ann|ann"},
		{ann, "INSERT INTO app.priv VALUES (1)", "INSERT|denied|ann|ann||app.priv"},
		{ann, "DELETE FROM app.priv WHERE id = 1", "DELETE|denied|ann|ann||app.priv"},
		{svc, "EXECUTE AS USER 'ann' (INSERT INTO app.t (id) VALUES (1))", "EXECUTE AS USER|ok|svc|svc|ann"},
		{svc, "EXECUTE AS USER 'root' (SELECT 1)", "EXECUTE AS USER|denied|svc|svc|root"},
		{svc, "EXECUTE AS USER 'ann' (INSERT INTO app.priv VALUES (1))", "EXECUTE AS USER|invalid_operation|svc|svc|ann"},
		{svc, "EXECUTE AS USER 'ann' (CREATE USER TABLE app.u (id BIGINT PRIMARY KEY))", "CREATE TABLE|denied|svc|ann||app.u"},
		{root, "DROP TABLE app.priv", "DROP TABLE|ok|root|root||app.priv"},
		{root, "DROP NAMESPACE app CASCADE", "DROP NAMESPACE|ok|root|root||app"},
	} {
		h.sql(c.token, c.sql)
		h.wantAudited(c.want)
	}
	h.mustSQL(root, "CREATE NAMESPACE more; CREATE USER TABLE more.t (id BIGINT PRIMARY KEY, a INT)")
	before := len(h.audited())
	h.mustSQL(ann, "INSERT INTO more.t VALUES (1, 1); UPDATE more.t SET a = 2 WHERE id = 1; SELECT * FROM more.t; DELETE FROM more.t WHERE id = 1")
	h.sql(ann, "SELECT * FROM more.nothing")
	h.sql(ann, "SELECT nothing FROM")
	if lines := h.audited(); len(lines) != before {
		t.Errorf("rows of one's own are audited: %q", lines[before:])
	}
	h.wantWhole()
}

// wantWhole follows the chain.
func (h *harness) wantWhole() {
	h.t.Helper()
	res := h.mustSQL(h.root(), "STORAGE VERIFY")
	job := res.Results[0].Message[strings.LastIndex(res.Results[0].Message, " ")+1:]
	eventually.True(h.t, "a verification that finds nothing", func() bool {
		out := h.mustSQL(h.root(), "SELECT status FROM system.jobs WHERE job_id = $1", job)
		return len(out.Results[0].Rows) == 1 && strings.Contains(fmt.Sprintf("%s", out.Results[0].Rows), "completed")
	})
}

// TestAuditIdentity logs in, out and in vain, mints, acts for others and speaks over sockets.
func TestAuditIdentity(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.RateLimit.MaxAuthPerIP = 1000 }})
	root, svc := h.root(), h.user("svc", kalam.RoleService)
	h.user("ann", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY); CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY)")
	h.wantAudited("LOGIN|ok|||ann")
	h.do("POST", "/v1/api/auth/login", "", `{"user":"ann","password":"wrong-wrong-1"}`)
	h.wantAudited("LOGIN|unauthenticated|||ann")
	h.do("POST", "/v1/api/auth/login", "", `{"user":"a-password-in-the-wrong-field","password":"x"}`)
	h.wantAudited("LOGIN|unauthenticated||||")
	h.sql("no token", "SELECT 1")
	h.wantAudited("AUTHENTICATE|denied")
	h.do("POST", "/v1/api/sql", svc, map[string]any{"sql": "SELECT 1"}, "X-User-ID", "ann")
	h.wantAudited("X-USER-ID|ok|svc|svc|ann")
	h.do("POST", "/v1/api/sql", svc, map[string]any{"sql": "SELECT 1"}, "X-User-ID", "root")
	h.wantAudited("X-USER-ID|denied|svc|svc|root")
	h.do("POST", "/v1/api/sql", svc, map[string]any{"sql": "DROP TABLE app.t"}, "X-User-ID", "ann")
	h.wantAudited("DROP TABLE|denied|svc|ann||app.t")
	if _, res := h.mint(svc, `{"user":"ann"}`); res.status != http.StatusOK {
		t.Fatal(res.body)
	}
	h.wantAudited("MINT TOKEN|ok|svc|svc|ann")
	h.mint(svc, `{"user":"root"}`)
	h.wantAudited("MINT TOKEN|denied|svc|svc|root")
	h.do("GET", "/v1/exports/root/UE-000000000000", svc, nil)
	h.wantAudited("DOWNLOAD EXPORT|denied|svc|svc|root")
	ann := h.login("ann", "ann-password").AccessToken
	p := h.enter(ann, "")
	h.wantAudited("AUTHENTICATE|ok|ann|ann")
	p.subscribe("s", "SELECT * FROM app.s", nil)
	h.wantAudited("SUBSCRIBE|denied|ann|ann")
	bad := h.connect("")
	bad.send(authenticate("no token", wire.CompressionNone, ""))
	bad.wantClose(websocket.StatusPolicyViolation, "Authentication failed")
	if _, _, err := h.tryConnect("", "Authorization", "Bearer "+svc, "X-User-ID", "root"); err == nil {
		t.Error("svc acts for root")
	}
	reused := h.login("ann", "ann-password")
	for range 2 {
		h.do("POST", "/v1/api/auth/refresh", reused.RefreshToken, nil)
		h.clock.move(time.Minute)
	}
	h.wantAudited("REFRESH TOKEN REUSED|denied|||ann")
	h.do("POST", "/v1/api/auth/logout", h.login("ann", "ann-password").AccessToken, nil)
	h.wantAudited("LOGOUT|ok|ann|ann")
	for _, line := range h.audited() {
		if strings.Contains(line, "wrong-field") {
			t.Errorf("a name of nobody is kept: %s", line)
		}
	}
	cfg := h.engine.Config()
	h.engine.Reload(cfg, []string{"log.level"})
	h.wantAudited("RELOAD SETTINGS|ok|system")
}

// TestAuditTable reads system.audit_log as every role, and tries to write it.
func TestAuditTable(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	tokens := map[kalam.Role]string{
		kalam.RoleUser: h.user("ann", kalam.RoleUser), kalam.RoleService: h.user("svc", kalam.RoleService),
		kalam.RoleDBA: h.user("chief", kalam.RoleDBA), kalam.RoleSystem: root,
	}
	h.do("POST", "/v1/api/sql", root, map[string]any{"sql": "CREATE NAMESPACE app"}, "X-Request-ID", "req-7")
	key := h.createKey(root, "k1", "FOR USER chief")
	if res := h.byKey(key.Text, "CREATE NAMESPACE keyed"); res.status != http.StatusOK {
		t.Fatal(res.body)
	}
	const read = "SELECT action, outcome, actor_user_id, actor_role, effective_user_id, target, ip_address, request_id, " +
		"changed->>0 AS changed, credential FROM system.audit_log WHERE action = 'CREATE NAMESPACE' ORDER BY audit_id"
	for role, token := range tokens {
		res := h.sql(token, read)
		if may := role >= kalam.RoleDBA; may != (res.status == http.StatusOK) {
			t.Errorf("role %s: %s", role, res.body)
		}
		for _, sql := range []string{
			"INSERT INTO system.audit_log (audit_id) VALUES ('1')", "UPDATE system.audit_log SET action = 'x'",
			"DELETE FROM system.audit_log", "TRUNCATE TABLE system.audit_log", "DROP TABLE system.audit_log",
			"ALTER TABLE system.audit_log ADD COLUMN x TEXT", "INSERT INTO system.audit_log SELECT * FROM system.audit_log",
		} {
			if res := h.sql(token, sql); res.status == http.StatusOK {
				t.Errorf("role %s: %s: %s", role, sql, res.body)
			}
		}
	}
	out := h.mustSQL(root, read)
	rows := fmt.Sprintf("%s", out.Results[0].Rows)
	for _, want := range []string{
		`"CREATE NAMESPACE" "ok" "root" "system" "root" "app" "127.0.0.1" "req-7" "namespace/app" "token:`,
		`"chief" "dba" "chief" "keyed" "127.0.0.1"`, `"key:`,
	} {
		if !strings.Contains(rows, want) {
			t.Errorf("got %s, want %s", rows, want)
		}
	}
	for _, secret := range []string{key.Text, root, rootPassword} {
		if strings.Contains(h.sql(root, "SELECT * FROM system.audit_log").body, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestAuditSecrets makes statements fail and succeed in many ways with secrets and values in them.
func TestAuditSecrets(t *testing.T) {
	h := start(t, setup{})
	root, ann := h.root(), h.user("ann", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY, a TEXT)")
	const c = "canary-8c1f"
	for _, token := range []string{root, ann} {
		for _, sql := range []string{
			"CREATE USER u WITH PASSWORD '" + c + "-x1' ROLE user", "ALTER USER u SET PASSWORD '" + c + "-x2'",
			"CREATE USER u WITH OAUTH '{\"provider\": \"p\", \"subject\": \"" + c + "\"}'",
			"CREATE STORAGE s3x TYPE s3 URI 's3://bucket/' CREDENTIALS '{\"access_key_id\": \"" + c + "\", \"secret_access_key\": \"" +
				c + "\"}' CONFIG '{\"region\": \"" + c + "\"}'",
			"INSERT INTO system.users (user_id, role, metadata) VALUES ('w', 'user', '{\"a\": \"" + c + "\"}')",
			"UPDATE system.users SET email = '" + c + "@x.y' WHERE user_id = 'u'",
			"CREATE SHARED TABLE app.made AS SELECT 1 AS id, '" + c + "' AS a", "INSERT INTO app.s VALUES (1, '" + c + "')",
			"SELECT * FROM system.users WHERE user_id = '" + c + "'", "SELECT * FROM app.s WHERE a = '" + c + "' -- " + c,
			"EXECUTE AS USER 'root' (INSERT INTO app.s VALUES (2, '" + c + "'))",
			"CREATE SHARED TABLE app.d (id BIGINT PRIMARY KEY, a TEXT DEFAULT '" + c + "')",
			"COMMENT ON TABLE app.s IS '" + c + "'",
		} {
			h.sql(token, sql)
		}
	}
	h.do("POST", "/v1/api/auth/login", "", `{"user":"ann","password":"`+c+`"}`)
	h.do("POST", "/v1/api/auth/login", "", `{"user":"`+c+`","password":"x"}`)
	h.sql(c, "SELECT 1")
	h.byKey(c, "SELECT 1")
	h.audited()
	err := h.engine.Audit().Newest(t.Context(), 1<<20, func(r audit.Record) error {
		if text := fmt.Sprintf("%+v", r); strings.Contains(text, "canary") {
			t.Errorf("a secret or a value is in the log: %s", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAuditFlood has a user fail and fail, and log in in vain: the log stays small, others are as fast.
func TestAuditFlood(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) {
		c.RateLimit.MaxAuthPerIP, c.RateLimit.MaxQueriesPerSec, c.RateLimit.MaxRequestsPerIP = 1_000_000, 0, 0
	}})
	ann := h.user("ann", kalam.RoleUser)
	before := h.engine.Audit().Stats()
	const n = 3000
	for i := range n {
		h.sql(ann, fmt.Sprintf("SELECT c%d FROM system.users", i))
		h.do("GET", "/v1/exports/root/"+fmt.Sprint(i), ann, nil)
		h.sql(fmt.Sprint("token", i), "SELECT 1")
	}
	if err := h.engine.Audit().Settle(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	after := h.engine.Audit().Stats()
	if records := after.Written - before.Written; records > 100 || records < 10 {
		t.Errorf("%d events made %d records", 3*n, records)
	}
	if grown := after.Bytes - before.Bytes; grown > 100_000 {
		t.Errorf("the log has grown by %d bytes", grown)
	}
	h.wantWhole()
}
