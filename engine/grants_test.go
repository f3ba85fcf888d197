package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/session"
)

// newGrants starts a server with the users ann and bob (user) and svc and maker (service), the tables app.private, with
// the rows 1 to 3, app.dba and app.mine (USER).
func newGrants(t *testing.T) *server {
	s := newServer(t, func(c *config.Config) { c.Live.SharedTables = config.SharedAllow })
	s.must(root, "CREATE NAMESPACE app; CREATE SHARED TABLE app.private (id BIGINT PRIMARY KEY, word TEXT);"+
		"CREATE SHARED TABLE app.dba (id BIGINT PRIMARY KEY, word TEXT) ACCESS LEVEL DBA;"+
		"CREATE USER TABLE app.mine (id BIGINT PRIMARY KEY);"+
		"INSERT INTO app.private VALUES (1, 'one'), (2, 'two'), (3, 'three'); INSERT INTO app.dba VALUES (1, 'one');"+
		"CREATE USER ann WITH PASSWORD 'correct horse 1'; CREATE USER bob WITH PASSWORD 'correct horse 1';"+
		"CREATE USER svc WITH PASSWORD 'correct horse 1' ROLE service; CREATE USER maker WITH PASSWORD 'correct horse 1' ROLE service")
	return s
}

func service(name string) kalam.Principal {
	return kalam.Principal{User: kalam.UserID(name), Role: kalam.RoleService}
}

// outcome is what a statement gives: "ok" or the first words of the error.
func (s *server) outcome(p kalam.Principal, sql string, params ...kalam.Value) string {
	if _, err := s.try(p, sql, params...); err != nil {
		return messageOf(err)
	}
	return "ok"
}

// TestGrants grants and revokes, and runs every kind of statement after each. AUTH-012.
func TestGrants(t *testing.T) {
	s := newGrants(t)
	ann, bob := userOf("ann"), userOf("bob")
	statements := map[string]string{
		"select": "SELECT count(*) FROM app.private", "point": "SELECT word FROM app.private WHERE id = 1",
		"insert":   "INSERT INTO app.private VALUES (50, 'x'); DELETE FROM app.gone",
		"update":   "UPDATE app.private SET word = 'y' WHERE id = 2",
		"delete":   "DELETE FROM app.private WHERE id = 3000",
		"upsert":   "INSERT INTO app.private VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET word = 'zz'",
		"truncate": "TRUNCATE app.private", "alter": "ALTER TABLE app.private ADD COLUMN c INT", "drop": "DROP TABLE app.private",
		"flush": "STORAGE FLUSH TABLE app.private", "describe": "DESCRIBE app.private", "stats": "SHOW TABLE STATS app.private",
		"explain": "EXPLAIN SELECT * FROM app.private", "grant": "GRANT SELECT ON app.private TO USER ann",
	}
	statements["insert"] = "INSERT INTO app.private (id, word) VALUES (50, 'x') ON CONFLICT (id) DO NOTHING"
	check := func(p kalam.Principal, allowed string) {
		t.Helper()
		for name, sql := range statements {
			want := strings.Contains(" "+allowed+" ", " "+name+" ")
			if got := s.outcome(p, sql); (got == "ok") != want {
				t.Errorf("with %q %s may %s: %s", allowed, p.User, name, got)
			}
		}
	}
	check(ann, "")
	for _, step := range []struct{ sql, message, allowed string }{
		{"GRANT INSERT ON app.private TO USER ann", "Granted on table 'app.private': INSERT of user ann", "insert describe stats"},
		{"GRANT SELECT ON TABLE app.private TO ROLE user", "Granted on table 'app.private': SELECT of role user",
			"insert describe stats select point explain"},
		{"GRANT UPDATE, SELECT ON app.private TO USER 'ann'", "Granted on table 'app.private': SELECT, UPDATE of user ann",
			"insert describe stats select point explain update upsert"},
		{"REVOKE SELECT ON app.private FROM ROLE user", "Revoked on table 'app.private': SELECT of role user",
			"insert describe stats select point explain update upsert"},
		{"GRANT ALL ON NAMESPACE app TO USER ann",
			"Granted on namespace 'app': SELECT, INSERT, UPDATE, DELETE of user ann",
			"insert describe stats select point explain update upsert delete"},
		{"REVOKE ALL ON app.private FROM USER ann", "Revoked on table 'app.private': SELECT, INSERT, UPDATE of user ann",
			"insert describe stats select point explain update upsert delete"},
		{"REVOKE SELECT ON NAMESPACE app FROM USER ann", "Revoked on namespace 'app': SELECT of user ann", "insert describe stats"},
		{"REVOKE ALL ON NAMESPACE app FROM USER ann",
			"Revoked on namespace 'app': INSERT, UPDATE, DELETE of user ann", ""},
		{"REVOKE ALL ON NAMESPACE app FROM USER ann", "Nothing was revoked on namespace 'app': it was not granted." +
			" What roles may by the access level of a table stays", ""},
	} {
		if got := s.must(root, step.sql).message; got != step.message {
			t.Errorf("%s: %s", step.sql, got)
		}
		check(ann, step.allowed)
	}
	check(bob, "")
	s.must(root, "GRANT SELECT ON app.dba TO ROLE service")
	if got := s.outcome(service("svc"), "SELECT * FROM app.dba"); got != "ok" {
		t.Errorf("a service reads what it was granted: %s", got)
	}
	if got := s.outcome(ann, "SELECT * FROM app.dba"); got != "relation 'app.dba' does not exist" {
		t.Errorf("role user has the grant of role service: %s", got)
	}
}

// TestGrantsAreHidden asks who may grant, and what is told to whom.
func TestGrantsAreHidden(t *testing.T) {
	s := newGrants(t)
	ann, bob, maker := userOf("ann"), userOf("bob"), service("maker")
	s.must(maker, "CREATE SHARED TABLE app.made (id BIGINT PRIMARY KEY)")
	for _, c := range []struct {
		p         kalam.Principal
		sql, want string
	}{
		{maker, "GRANT SELECT ON app.made TO USER ann", "ok"},
		{maker, "GRANT SELECT ON app.private TO USER ann", "role service cannot grant or revoke rights on table 'app.private':" +
			" only a dba may, or the service that created it"},
		{maker, "GRANT SELECT ON NAMESPACE app TO USER ann", "role service cannot grant or revoke rights on namespaces"},
		{maker, "GRANT SELECT ON app.dba TO USER maker", "relation 'app.dba' does not exist"},
		{service("svc"), "REVOKE SELECT ON app.made FROM USER ann", "role service cannot grant or revoke rights on table 'app.made':" +
			" only a dba may, or the service that created it"},
		{ann, "GRANT SELECT ON app.made TO USER bob", "role user cannot grant or revoke rights on table 'app.made':" +
			" only a dba may, or the service that created it"},
		{ann, "GRANT SELECT ON app.private TO USER ann", "relation 'app.private' does not exist"},
		{ann, "GRANT SELECT ON NAMESPACE app TO USER ann", "role user cannot grant or revoke rights on namespaces"},
		{root, "GRANT SELECT ON app.mine TO USER ann", "GRANT and REVOKE take SHARED tables; 'app.mine' is a user table," +
			" of which each user has their own rows"},
		{root, "GRANT SELECT ON app.private TO USER nobody", "User with user_id 'nobody' not found"},
		{root, "GRANT SELECT ON NAMESPACE nowhere TO USER ann", "Namespace 'nowhere' does not exist"},
		{root, "GRANT SELECT ON NAMESPACE system TO USER ann", "Namespace 'system' does not exist"},
		{root, "GRANT SELECT ON system.users TO USER ann", "GRANT and REVOKE take SHARED tables; 'system.users' is a system table"},
		{kalam.Principal{User: "root", Role: kalam.RoleSystem, Restriction: "namespace app"}, "GRANT SELECT ON app.private TO USER ann",
			"the scopes of these credentials (namespace app) do not allow to share table 'app.private'"},
		{root, "BEGIN; GRANT SELECT ON app.private TO USER ann; COMMIT", "DDL is not allowed inside explicit transaction"},
	} {
		if got := s.outcome(c.p, c.sql); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s as %s: %s", c.sql, c.p.User, got)
		}
	}
	s.must(root, "GRANT UPDATE, SELECT ON app.private TO USER bob, ROLE service; GRANT DELETE ON NAMESPACE app TO USER ann")
	const list = "SELECT coalesce(table_name, namespace_id), grantee, privileges, granted_by FROM system.grants ORDER BY ALL"
	for p, want := range map[kalam.Principal]string{
		ann:   `"app" "ann" "DELETE" null, "made" "ann" "SELECT" null`,
		bob:   `"private" "bob" "SELECT, UPDATE" null`,
		maker: `"made" "ann" "SELECT" "maker", "private" "service" "SELECT, UPDATE" null`,
		root: `"app" "ann" "DELETE" "root", "made" "ann" "SELECT" "maker", "private" "bob" "SELECT, UPDATE" "root", ` +
			`"private" "service" "SELECT, UPDATE" "root"`,
		{User: "x", Role: kalam.RoleAnonymous}: "",
	} {
		var rows []string
		for _, r := range s.must(p, list).rows {
			rows = append(rows, strings.Join(r, " "))
		}
		if got := strings.Join(rows, ", "); got != want {
			t.Errorf("%s sees %s\nwant %s", p.User, got, want)
		}
	}
	for sql, want := range map[string]int{"SHOW GRANTS": 4, "SHOW GRANTS FOR USER bob": 1, "SHOW GRANTS ON app.private": 3,
		"SHOW GRANTS ON app.made": 2} {
		if got := len(s.must(root, sql).rows); got != want {
			t.Errorf("%s: %d rows, want %d", sql, got, want)
		}
	}
	if got := len(s.must(ann, "SHOW GRANTS FOR USER bob").rows); got != 0 {
		t.Errorf("ann sees %d grants of bob", got)
	}
	s.restart()
	if got := len(s.must(root, "SHOW GRANTS").rows); got != 4 {
		t.Errorf("%d grants after a restart", got)
	}
	s.must(root, "DROP USER bob; DROP TABLE app.private")
	if got := len(s.must(root, "SHOW GRANTS").rows); got != 2 {
		t.Errorf("%d grants after DROP USER and DROP TABLE", got)
	}
}

// revoker revokes after the first batch that it gets.
type revoker struct {
	collector
	revoke  func()
	batches int
}

func (r *revoker) Batch(b arrow.RecordBatch) error {
	if r.batches++; r.batches == 1 {
		r.revoke()
	}
	return nil
}

// TestRevokeIsAtOnce revokes while a session has prepared statements, a transaction and a result under way, and while a
// live query is followed.
func TestRevokeIsAtOnce(t *testing.T) {
	s := newGrants(t)
	ann := userOf("ann")
	const gone = "relation 'app.private' does not exist"
	s.must(root, "INSERT INTO app.private SELECT i, 'w' FROM range(10, 20000) r(i)")
	s.must(root, "GRANT SELECT, UPDATE ON app.private TO USER ann")
	sess := s.Open(ann, "")
	defer sess.Close()
	run := func(sql string) string {
		var c collector
		if err := sess.Run(context.Background(), session.Request{SQL: sql}, &c); err != nil {
			return messageOf(err)
		}
		return "ok"
	}
	const point = "SELECT word FROM app.private WHERE id = 1"
	for _, sql := range []string{"PREPARE p AS SELECT count(*) FROM app.private", "EXECUTE p", point, point,
		"BEGIN", "UPDATE app.private SET word = 'x' WHERE id = 1"} {
		if got := run(sql); got != "ok" {
			t.Fatalf("%s: %s", sql, got)
		}
	}
	f := s.follow(ann, "SELECT * FROM app.private WHERE id < 5", &live.Options{LastRows: 10}, false)
	defer f.close()
	other := s.follow(service("svc"), "SELECT * FROM app.private WHERE id < 5", nil, false)
	defer other.close()

	r := revoker{}
	r.revoke = func() { s.must(root, "REVOKE SELECT ON app.private FROM USER ann") }
	err := s.Execute(context.Background(), ann, session.Request{SQL: "SELECT * FROM app.private"}, &r)
	if err == nil || r.batches != 1 || !strings.Contains(messageOf(err), "cannot read") && messageOf(err) != gone {
		t.Errorf("a result under way: %d batches, %v", r.batches, err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if d, err := f.out.Next(ctx); err != nil || kalam.CodeOf(d.Err) != kalam.CodePermissionDenied {
		t.Errorf("the live query: %v %v", d, err)
	}
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("the live query ended after %s", took)
	}
	if got := run(point); !strings.Contains(got, "cannot read") {
		t.Errorf("in the transaction: %s", got)
	}
	run("ROLLBACK")
	s.must(root, "REVOKE ALL ON app.private FROM USER ann")
	for _, sql := range []string{"EXECUTE p", point} {
		if got := run(sql); got != gone {
			t.Errorf("%s: %s", sql, got)
		}
	}
	s.must(root, "INSERT INTO app.private VALUES (4, 'four')")
	other.read(1) // That of the service goes on.
	s.must(root, "GRANT SELECT ON app.private TO USER ann")
	for _, sql := range []string{"EXECUTE p", point} {
		if got := run(sql); got != "ok" {
			t.Errorf("%s after it was granted again: %s", sql, got)
		}
	}
}

// TestGrantsAndViews reads a view by what was granted on the tables behind it, and as another user.
func TestGrantsAndViews(t *testing.T) {
	s := newGrants(t)
	ann, svc := userOf("ann"), service("svc")
	s.must(root, "CREATE VIEW app.v AS SELECT word FROM app.private")
	for _, granted := range []bool{false, true, false} {
		want := "relation 'app.v' does not exist"
		if granted {
			s.must(root, "GRANT SELECT ON app.private TO USER ann")
			want = "ok"
		} else {
			s.must(root, "REVOKE SELECT ON app.private FROM USER ann")
		}
		if got := s.outcome(ann, "SELECT * FROM app.v"); got != want {
			t.Errorf("granted %t: %s", granted, got)
		}
		got := s.outcome(svc, "EXECUTE AS USER 'ann' (SELECT * FROM app.private)")
		if (got == "ok") != granted {
			t.Errorf("granted %t, acting for ann: %s", granted, got)
		}
		tables := s.must(ann, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'private'").rows[0][0]
		if want := fmt.Sprintf("%q", map[bool]string{true: "1", false: "0"}[granted]); tables != want {
			t.Errorf("granted %t, listed: %s", granted, tables)
		}
	}
}
