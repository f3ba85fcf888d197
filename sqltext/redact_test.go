package sqltext_test

import (
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

func TestRedact(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT 'a' FROM t", "SELECT 'a' FROM t"},
		{"", ""},
		{"SELECT 'a' FROM t ORDER BY 'b', c", "SELECT 'a' FROM t ORDER BY '***', c"},
		{"CREATE USER u WITH PASSWORD 'x' ROLE dba EMAIL 'e'", "CREATE USER u WITH PASSWORD '***' ROLE dba EMAIL 'e'"},
		{"create user u password = E'x\\'y'", "create user u password = '***'"},
		{"CREATE USER u IDENTIFIED BY PASSWORD 'x'", "CREATE USER u IDENTIFIED BY PASSWORD '***'"},
		{"CREATE USER u WITH PASSWORD \"x\" ROLE dba", "CREATE USER u WITH PASSWORD '***' ROLE dba"},
		{"CREATE USER u WITH PASSWORD x-y!z ROLE dba", "CREATE USER u WITH PASSWORD '***' ROLE dba"},
		{"CREATE USER u WITH PASSWORD 1234;SELECT 'a'", "CREATE USER u WITH PASSWORD '***';SELECT 'a'"},
		{"CREATE USER u WITH OAUTH ROLE user", "CREATE USER u WITH OAUTH ROLE user"},
		{"CREATE USER u WITH OAUTH '{}'", "CREATE USER u WITH OAUTH '***'"},
		{"ALTER USER u SET PASSWORD = $$x$$, EMAIL 'e'", "ALTER USER u SET PASSWORD = '***', EMAIL 'e'"},
		{"CREATE STORAGE s TYPE s3 URI 's3://b/' CREDENTIALS '{\"k\": 1}' CONFIG '{}'",
			"CREATE STORAGE s TYPE s3 URI 's3://b/' CREDENTIALS '***' CONFIG '***'"},
		{"INSERT INTO system.users (user_id, password_hash) VALUES ('a', 'b')",
			"INSERT INTO system.users (user_id, password_hash) VALUES ('***', '***')"},
		{"UPDATE t SET \"Password\" = lower('x')", "UPDATE t SET \"Password\" = lower('***')"},
		{"UPDATE t SET `auth_data` = concat('x', $1)", "UPDATE t SET `auth_data` = concat('***', $1)"},
		{"CREATE USER TABLE t (password TEXT DEFAULT 'x')", "CREATE USER TABLE t (password TEXT DEFAULT '***')"},
		{"CREATE NAMESPACE n; UPDATE t SET password = lower('x'); SELECT 'a'",
			"CREATE NAMESPACE n; UPDATE t SET password = lower('***'); SELECT 'a'"},
		{"EXECUTE AS USER 'a' (CREATE USER b WITH PASSWORD 'x')",
			"EXECUTE AS USER '***' (CREATE USER b WITH PASSWORD '***')"},
		{"SELECT 'a', 'unterminated", "SELECT '***', ..."},
		{"CREATE USER u WITH PASSWORD 'unterminated", "CREATE USER u WITH PASSWORD ..."},
		{"SELECT 'a'; CREATE USER u WITH PASSWORD \"x\x00y\"", "SELECT 'a'; CREATE USER u WITH PASSWORD ..."},
	} {
		if got := sqltext.Redact(c.sql); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}
