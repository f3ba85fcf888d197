package sqltext_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

func TestShape(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT  a FROM t WHERE b = 'secret' AND c > 17 -- note", "SELECT a FROM t WHERE b = ? AND c > ?"},
		{"CREATE USER 'x' WITH PASSWORD 'canary-1'", "CREATE USER ? WITH PASSWORD ?"},
		{"INSERT INTO t VALUES (1, $$canary$$, x'00', 1.5e3)", "INSERT INTO t VALUES (?, ?, ?, ?)"},
	} {
		if got := sqltext.Shape(c.sql, 1000); strings.ReplaceAll(strings.ReplaceAll(got, "( ", "("), " ,", ",") != c.want {
			t.Errorf("%s: %q, want %q", c.sql, got, c.want)
		}
	}
	for _, sql := range []string{"ALTER USER x SET PASSWORD canary", "SELECT 'canary", "CREATE USER x WITH PASSWORD canary"} {
		if got := sqltext.Shape(sql, 1000); strings.Contains(got, "canary") {
			t.Errorf("%s: %q", sql, got)
		}
	}
	if got := sqltext.Shape(strings.Repeat("SELECT ä ", 500), 100); len(got) > 103 || !strings.HasSuffix(got, "...") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
