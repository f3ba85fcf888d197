package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// TestAlterTable holds the forms of ALTER TABLE that KalamDB has, and what they answer over HTTP.
func TestAlterTable(t *testing.T) {
	h := start(t, setup{})
	h.mustSQL(h.root(), "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, age SMALLINT, old TEXT)")
	alice := h.user("alice", kalam.RoleUser)
	h.mustSQL(alice, "INSERT INTO app.t VALUES (1, 5, 'x'), (2, NULL, 'y')")
	for _, c := range []struct{ sql, message string }{
		{"ALTER TABLE app.t ADD COLUMN name TEXT", "Table app.t altered successfully: ADD COLUMN name TEXT (version 2)"},
		{"ALTER TABLE app.t ADD city TEXT NOT NULL DEFAULT 'Bern'", "Table app.t altered successfully: ADD COLUMN city TEXT (version 3)"},
		{"alter table app.t modify column age int null", "Table app.t altered successfully: MODIFY COLUMN age INT (version 4)"},
		{"ALTER TABLE app.t DROP COLUMN old", "Table app.t altered successfully: DROP COLUMN old (version 5)"},
		{"ALTER TABLE app.t RENAME COLUMN name TO full_name;", "Table app.t altered successfully: RENAME COLUMN name TO full_name (version 6)"},
		{"ALTER TABLE app.t ALTER COLUMN city DROP NOT NULL", "Table app.t altered successfully: ALTER COLUMN city DROP NOT NULL (version 7)"},
		{"ALTER TABLE app.t ALTER COLUMN city SET NOT NULL", "Table app.t altered successfully: ALTER COLUMN city SET NOT NULL (version 8)"},
		{"ALTER TABLE app.t ALTER COLUMN city SET DEFAULT 'Basel'", "Table app.t altered successfully: ALTER COLUMN city SET DEFAULT 'Basel' (version 9)"},
		{"ALTER TABLE app.t ALTER COLUMN city DROP DEFAULT", "Table app.t altered successfully: ALTER COLUMN city DROP DEFAULT (version 10)"},
		{"ALTER TABLE app.t ALTER COLUMN city DROP DEFAULT", "Table app.t unchanged: ALTER COLUMN city DROP DEFAULT (version 10 - no changes needed)"},
	} {
		r := h.mustSQL(h.root(), c.sql)
		if len(r.Results) != 1 || r.Results[0].Message != c.message || r.Results[0].RowCount != 0 {
			t.Errorf("%s: %+v, want %q", c.sql, r.Results, c.message)
		}
	}
	got := h.sql(alice, "SELECT id, age, full_name, city FROM app.t ORDER BY id").body
	if !strings.Contains(got, `"rows":[["1",5,null,"Bern"],["2",null,null,"Bern"]]`) ||
		!strings.Contains(got, `{"name":"age","data_type":"Int","index":1}`) {
		t.Errorf("the table holds %s", got)
	}
	for _, c := range []struct {
		token, sql string
		code       wire.Code
		message    string
	}{
		{h.root(), "ALTER TABLE app.t ALTER COLUMN age SET NOT NULL", wire.CodeSQLExecution, "Column 'age' of table app.t cannot be NOT NULL: 1 row holds NULL"},
		{h.root(), "ALTER TABLE app.t DROP COLUMN id", wire.CodeSQLExecution, "Column 'id' is part of the PRIMARY KEY and cannot be dropped"},
		{h.root(), "ALTER TABLE app.t ADD COLUMN _seq BIGINT", wire.CodeInvalidSQL, "reserved for the system"},
		{alice, "ALTER TABLE app.t ADD COLUMN x INT", wire.CodePermissionDenied, "role user cannot alter user table 'app.t'"},
	} {
		r := h.sql(c.token, c.sql)
		if r.status == http.StatusOK || !strings.Contains(r.body, string(c.code)) || !strings.Contains(r.body, c.message) {
			t.Errorf("%s: %d %s, want %s and %q", c.sql, r.status, r.body, c.code, c.message)
		}
	}
}
