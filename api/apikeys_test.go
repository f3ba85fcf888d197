package api_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// apiKey is the row of CREATE API KEY.
type apiKey struct{ ID, Text string }

// createKey runs CREATE API KEY with a token; rest follows the name.
func (h *harness) createKey(token, name, rest string) apiKey {
	h.t.Helper()
	out := h.mustSQL(token, "CREATE API KEY '"+name+"' "+rest)
	var k apiKey
	row := out.Results[0].Rows[0]
	if len(row) != 6 || json.Unmarshal(row[0], &k.ID) != nil || json.Unmarshal(row[3], &k.Text) != nil {
		h.t.Fatalf("CREATE API KEY: %s", row)
	}
	return k
}

// byKey sends statements with an API key.
func (h *harness) byKey(key, sql string, headers ...string) response {
	h.t.Helper()
	return h.do("POST", "/v1/api/sql", "", map[string]any{"sql": sql}, append(headers, "X-API-Key", key)...)
}

// TestAPIKeys uses a key everywhere where a token is taken, and then no more: it acts as its user, in the user's role
// of the moment.
func TestAPIKeys(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'one', 1)")
	k := h.createKey(alice, "laptop", "FOR USER alice EXPIRES IN 2 DAYS")
	if res := h.byKey(k.Text, "SELECT body, CURRENT_USER() AS u, CURRENT_ROLE() AS r FROM app.notes"); res.status != http.StatusOK ||
		!strings.Contains(res.body, `["one","alice","user"]`) {
		t.Errorf("by key: %d %s", res.status, res.body)
	}
	if res := h.do("GET", "/v1/api/auth/me", "", nil, "X-API-Key", k.Text); res.status != http.StatusOK ||
		!strings.Contains(res.body, `"id":"alice"`) {
		t.Errorf("me: %d %s", res.status, res.body)
	}
	for name, enter := range map[string]func() *peer{
		"header": func() *peer { return h.connect("", "X-API-Key", k.Text) },
		"message": func() *peer {
			p := h.connect("")
			m := authenticate(k.Text, wire.CompressionNone, "")
			m.Method = "api_key"
			p.send(m)
			return p
		},
	} {
		p := enter()
		if f := p.read(); f.Type != wire.TypeAuthSuccess {
			t.Errorf("%s: %+v", name, f)
		}
		p.subscribe("s", "SELECT id FROM app.notes", nil)
		if f := p.read(); f.Type != wire.TypeSubscriptionAck {
			t.Errorf("%s: %+v", name, f)
		}
	}
	h.mustSQL(h.root(), "ALTER USER alice SET ROLE service")
	if res := h.byKey(k.Text, "SELECT CURRENT_ROLE() AS r"); !strings.Contains(res.body, `["service"]`) {
		t.Errorf("after a new role: %s", res.body)
	}
	token := h.login("alice", "alice-password").AccessToken
	for name, headers := range map[string][]string{
		"wrong key":        {"X-API-Key", k.Text[:len(k.Text)-1] + "!"},
		"id":               {"X-API-Key", k.ID},
		"token as key":     {"X-API-Key", token},
		"key as token":     {"Authorization", "Bearer " + k.Text},
		"key and token":    {"X-API-Key", k.Text, "Authorization", "Bearer " + token},
		"key and no token": {"X-API-Key", k.Text, "Authorization", "Basic eDp5"},
		"very long key":    {"X-API-Key", strings.Repeat("k", 10<<10)},
	} {
		res := h.do("POST", "/v1/api/sql", "", map[string]any{"sql": "SELECT 1"}, headers...)
		if res.status != http.StatusUnauthorized || !strings.Contains(res.body, `"message":"Invalid credentials"`) {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}
	h.clock.move(48 * time.Hour)
	if res := h.byKey(k.Text, "SELECT 1"); res.status != http.StatusUnauthorized {
		t.Errorf("an expired key: %d", res.status)
	}
}

// TestAPIKeyTable looks at system.api_keys as different users, and drops keys as different users.
func TestAPIKeyTable(t *testing.T) {
	h, alice := live(t, setup{})
	bob, root := h.user("bob", kalam.RoleUser), h.root()
	k := h.createKey(alice, "one", "FOR USER alice SCOPES (TABLE app.notes, READ ONLY)")
	h.createKey(root, "two", "FOR USER bob")
	const list = "SELECT name, user_id, scopes, created_by, expired, last_used_at IS NULL AS unused FROM system.api_keys ORDER BY name"
	for token, want := range map[string]string{
		alice: `[["one" "alice" "read only, table app.notes" "alice" false true]]`,
		bob:   `[["two" "bob" null "root" false true]]`,
		root: `[["one" "alice" "read only, table app.notes" "alice" false true] ` +
			`["two" "bob" null "root" false true]]`,
	} {
		if got := fmt.Sprintf("%s", h.mustSQL(token, list).Results[0].Rows); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if res := h.byKey(k.Text, "SELECT id FROM app.notes"); res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
	out := h.mustSQL(alice, "SELECT count(*) FROM system.api_keys WHERE last_used_at > created_at")
	if got := fmt.Sprintf("%s", out.Results[0].Rows); got != "[[1]]" && got != `[["1"]]` {
		t.Errorf("last used: %s", got)
	}
	for _, sql := range []string{"DROP API KEY '" + k.ID + "'", "DROP API KEY 'ak-none'"} {
		if res := h.sql(bob, sql); res.status != http.StatusBadRequest || !strings.Contains(res.body, "not found") {
			t.Errorf("%s: %d %s", sql, res.status, res.body)
		}
	}
	h.mustSQL(alice, "DROP API KEY '"+k.ID+"'")
	if res := h.byKey(k.Text, "SELECT 1"); res.status != http.StatusUnauthorized {
		t.Errorf("a dropped key: %d", res.status)
	}
	for sql, text := range map[string]string{
		"CREATE API KEY 'x' FOR USER bob":                       "role user cannot manage the credentials of other users",
		"CREATE API KEY 'x' FOR USER nobody":                    "role user cannot manage the credentials of other users",
		"CREATE API KEY 'x' FOR USER alice SCOPES TABLE app.no": "relation 'app.no' does not exist",
		"CREATE API KEY 'x' FOR USER alice SCOPES NAMESPACE no": "Namespace 'no' does not exist",
		"REVOKE TOKENS FOR USER bob":                            "role user cannot manage the credentials of other users",
	} {
		if res := h.sql(alice, sql); res.status == http.StatusOK || !strings.Contains(res.body, text) {
			t.Errorf("%s: %d %s", sql, res.status, res.body)
		}
	}
}

// TestScopesHold tries to leave the scopes of a key in every way that a statement has. Each must be refused, and no
// answer holds what is out of scope.
func TestScopesHold(t *testing.T) {
	h, alice := live(t, setup{})
	root := h.root()
	h.mustSQL(root, "CREATE USER TABLE app.diary (id BIGINT PRIMARY KEY, body TEXT); CREATE NAMESPACE other;"+
		"CREATE USER TABLE other.t (id BIGINT PRIMARY KEY, body TEXT); CREATE NAMESPACE alice;"+
		"CREATE VIEW app.v AS SELECT * FROM app.diary; CREATE VIEW app.joined AS SELECT n.id, d.body FROM app.notes n, app.diary d")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'seen', 1); INSERT INTO app.diary VALUES (1, 'canary');"+
		"INSERT INTO other.t VALUES (1, 'canary'); CREATE TABLE alice.own (id BIGINT PRIMARY KEY)")
	table := h.createKey(alice, "table", "FOR USER alice SCOPES (TABLE app.notes)")
	reads := h.createKey(alice, "reads", "FOR USER alice SCOPES (READ ONLY)")
	space := h.createKey(alice, "space", "FOR USER alice SCOPES (NAMESPACE app)")
	chief := h.createKey(root, "chief", "FOR USER root SCOPES (NAMESPACE app)")
	chiefReads := h.createKey(root, "chief reads", "FOR USER root SCOPES (READ ONLY)")
	readsOut := []string{
		"SELECT * FROM other.t", "SELECT body FROM other.t WHERE id = 1", "WITH x AS (SELECT * FROM other.t) SELECT * FROM x",
		"SELECT (SELECT max(body) FROM other.t) FROM app.notes", "SELECT * FROM app.notes WHERE EXISTS (SELECT 1 FROM other.t)",
		"SELECT * FROM app.notes UNION ALL SELECT id, body, 1 FROM other.t", "SELECT * FROM app.notes n JOIN other.t o ON n.id = o.id",
		"EXPLAIN SELECT * FROM other.t", "EXPLAIN ANALYZE SELECT * FROM other.t", "SELECT * FROM other.user.t",
		"SELECT * FROM other.t AT (TIMESTAMP => now())", "INSERT INTO app.notes SELECT id + 10, body, 1 FROM other.t",
		"UPDATE app.notes SET body = (SELECT max(body) FROM other.t) WHERE id = 1 RETURNING body",
		"INSERT INTO app.notes VALUES (9, 'x', 1) RETURNING (SELECT max(body) FROM other.t)",
		"DESCRIBE other.t", "SHOW CREATE TABLE other.t", "SHOW TABLE STATS other.t", "SHOW COLUMNS FROM other.t",
		"USE other; SELECT * FROM t", "PREPARE p AS SELECT * FROM other.t; EXECUTE p", "EXECUTE AS USER 'alice' (SELECT * FROM other.t)",
		"SELECT * FROM system.sessions", "SELECT * FROM system.live_queries", "SELECT * FROM system.api_keys",
		"SELECT * FROM system.manifest", "EXPORT USER DATA", "SHOW EXPORT",
		"SUBSCRIBE TO other.t; SELECT * FROM other.t",
	}
	writes := []string{
		"INSERT INTO other.t VALUES (2, 'x')", "UPDATE other.t SET body = 'x' WHERE id = 1", "DELETE FROM other.t WHERE id = 1",
		"TRUNCATE TABLE other.t", "CREATE USER TABLE alice.made (id BIGINT PRIMARY KEY)", "DROP TABLE alice.own",
		"ALTER TABLE alice.own ADD COLUMN c INT", "CREATE VIEW alice.v AS SELECT 1 AS one",
		"CREATE USER TABLE alice.made AS SELECT * FROM other.t",
		"CREATE API KEY 'more' FOR USER alice", "DROP API KEY '" + table.ID + "'", "REVOKE TOKENS FOR USER alice",
		"KILL LIVE QUERY 'alice-" + strings.Repeat("0", 32) + "-s'", "KILL QUERY 'x'",
	}
	admin := []string{
		"CREATE USER mallory WITH PASSWORD 'long-enough-it-is'", "ALTER USER alice SET ROLE dba", "DROP USER alice",
		"CREATE NAMESPACE mine", "DROP NAMESPACE other CASCADE", "STORAGE FLUSH ALL", "STORAGE COMPACT ALL", "CLEAR CACHE",
		"BACKUP DATABASE TO '/tmp/nowhere'", "STORAGE VERIFY", "DROP STORAGE local", "KILL JOB 'FL-000000000000'",
		"CREATE API KEY 'more' FOR USER alice", "CREATE API KEY 'more' FOR USER root", "CREATE USER TABLE other.made (id BIGINT PRIMARY KEY)",
		"DROP TABLE other.t", "ALTER TABLE other.t ADD COLUMN c INT", "DROP VIEW app.v; DROP TABLE other.t",
		"STORAGE FLUSH TABLE other.t", "EXECUTE AS USER 'alice' (INSERT INTO other.t VALUES (3, 'x'))",
	}
	tried := 0
	refuse := func(key apiKey, statements []string) {
		t.Helper()
		for _, sql := range statements {
			tried++
			res := h.byKey(key.Text, sql)
			if res.status == http.StatusOK || res.status >= 500 || strings.Contains(res.body, "canary") {
				t.Errorf("%s: %d %s", sql, res.status, res.body)
			}
		}
	}
	onlyApp := func(statements []string) (out []string) {
		for _, sql := range statements {
			out = append(out, strings.ReplaceAll(sql, "other.t", "app.diary"))
		}
		return out
	}
	for _, key := range []apiKey{table, space} {
		refuse(key, readsOut)
		refuse(key, writes)
	}
	refuse(table, onlyApp(readsOut))
	refuse(table, []string{"SELECT * FROM app.v", "SELECT * FROM app.joined", "DESCRIBE app.v", "SHOW CREATE VIEW app.v"})
	refuse(reads, writes)
	refuse(reads, []string{"INSERT INTO app.notes VALUES (2, 'x', 1)", "UPDATE app.notes SET n = 2", "DELETE FROM app.notes"})
	refuse(chief, admin)
	refuse(chiefReads, admin)
	for _, sql := range []string{"SELECT * FROM system.users", "SELECT * FROM system.jobs", "SELECT * FROM system.tables",
		"EXECUTE AS USER 'alice' (SELECT * FROM other.t)"} {
		refuse(chief, []string{sql})
	}
	for key, sql := range map[apiKey]string{
		table: "SELECT * FROM app.notes; INSERT INTO app.notes VALUES (5, 'x', 5); SHOW TABLES; SELECT * FROM information_schema.tables",
		reads: "SELECT * FROM app.notes, other.t; SELECT * FROM system.api_keys; SHOW TABLES",
		space: "SELECT * FROM app.joined; DELETE FROM app.diary WHERE id = 7",
		chief: "EXECUTE AS USER 'alice' (SELECT * FROM app.notes); STORAGE FLUSH TABLE app.notes; ALTER TABLE app.diary ADD COLUMN c INT",
	} {
		res := h.byKey(key.Text, sql)
		if key != chief && res.status != http.StatusOK {
			t.Errorf("%s: %d %s", sql, res.status, res.body)
		}
		if key == table && strings.Contains(res.body, "diary") {
			t.Errorf("a key of one table sees another: %s", res.body)
		}
	}
	if res := h.byKey(chiefReads.Text, "SELECT * FROM system.users; EXECUTE AS USER 'alice' (SELECT * FROM app.notes)"); res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
	scopedSockets(h, table)
	out := h.mustSQL(alice, "SELECT count(*) FROM app.notes; SELECT count(*) FROM other.t; SELECT id FROM alice.own")
	if got := fmt.Sprintf("%s %s", out.Results[0].Rows, out.Results[1].Rows); strings.Trim(got, "[]\" ") == "" {
		t.Errorf("rows: %s", got)
	}
	t.Logf("%d statements out of scope were refused", tried)
}

// scopedSockets subscribes to what is in scope and to what is not.
func scopedSockets(h *harness, table apiKey) {
	h.t.Helper()
	p := h.connect("", "X-API-Key", table.Text)
	p.read()
	p.subscribe("in", "SELECT * FROM app.notes", nil)
	if f := p.read(); f.Type != wire.TypeSubscriptionAck {
		h.t.Errorf("in scope: %+v", f)
	}
	for _, sql := range []string{"SELECT * FROM app.diary", "SELECT * FROM other.t", "SELECT * FROM system.jobs",
		"SELECT id FROM app.notes WHERE id IN (SELECT id FROM app.diary)"} {
		p.subscribe("out", sql, nil)
		for {
			s := p.text()
			if strings.Contains(s, "canary") || strings.Contains(s, `"subscription_id":"out"`) && !strings.Contains(s, `"type":"error"`) {
				h.t.Errorf("%s: %s", sql, s)
			}
			if strings.Contains(s, `"type":"error"`) {
				break
			}
		}
	}
}

// TestKeysAreNowhere looks for the text of a key in the log, in system tables, in errors and in all files of the
// server.
func TestKeysAreNowhere(t *testing.T) {
	h, alice := live(t, setup{})
	k := h.createKey(alice, "k", "FOR USER alice")
	for _, sql := range []string{"SELECT * FROM app.notes", "SELECT nothing", "SELEC", "SELECT * FROM system.sessions"} {
		if res := h.byKey(k.Text, sql); strings.Contains(res.body, k.Text) {
			t.Errorf("%s: %s", sql, res.body)
		}
	}
	h.do("GET", "/v1/api/auth/login", "", nil, "X-API-Key", k.Text)
	secret := strings.TrimPrefix(k.Text, "kalam_")
	for _, table := range []string{"api_keys", "jobs", "settings", "users", "sessions", "stats", "live"} {
		if res := h.sql(h.root(), "SELECT * FROM system."+table); res.status != http.StatusOK || strings.Contains(res.body, secret) {
			t.Errorf("system.%s: %d", table, res.status)
		}
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(h.log.String(), secret) {
		t.Error("the log holds a key")
	}
	files := 0
	err := filepath.WalkDir(h.config.Storage.DataPath, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s holds a key", path)
		}
		return nil
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestActAsOnSockets opens sockets of a service for its users, as requests act for them by X-User-Id.
func TestActAsOnSockets(t *testing.T) {
	h, alice := live(t, setup{})
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'of alice', 1)")
	svc, root := h.user("svc", kalam.RoleService), h.root()
	p := h.connect("", "Authorization", "Bearer "+svc, "X-User-Id", "alice")
	if f := p.read(); f.Type != wire.TypeAuthSuccess || f.User != "alice" {
		t.Errorf("%+v", f)
	}
	p.subscribe("s", "SELECT * FROM app.notes", all())
	if s := p.text() + p.text(); !strings.Contains(s, "of alice") {
		t.Errorf("rows of the user: %s", s)
	}
	for _, user := range []string{"root", "bad/name"} {
		if _, res, err := h.tryConnect("", "Authorization", "Bearer "+svc, "X-User-Id", user); err == nil ||
			res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusBadRequest {
			t.Errorf("as %s: %v %v", user, res, err)
		}
	}
	if _, res, err := h.tryConnect("", "Authorization", "Bearer "+alice, "X-User-Id", "svc"); err == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a user as a service: %v", err)
	}
	h.mustSQL(root, "ALTER USER svc SET ROLE user") // The service may not act any more.
	p.wantClose(websocket.StatusPolicyViolation, "")
}
