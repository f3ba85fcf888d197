package spelling_test

import (
	"testing"

	"github.com/kalamlake/kalam/dialect/spelling"
	"github.com/kalamlake/kalam/sqltext"
)

// TestRewriteOnce rewrites pieces, and what came out again: nothing may be left to do.
func TestRewriteOnce(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT a FROM t":           "SELECT a FROM t",
		"SELECT `a` FROM default.t": `SELECT "a" FROM "default".t`,
		"SELECT a LIMIT 5, 10":      "SELECT a LIMIT 10 OFFSET 5",
		"title = j->>'t'":           "title = (j->>'t')",
		"j ? 'k' AND b":             "json_contains(j , 'k') AND b",
		"X'00FF'":                   `'\x00\xFF'::BLOB`,
		"E'a\\'b'":                  "'a''b'",
	} {
		first := rewritten(t, sql)
		if first != want {
			t.Errorf("%s became %s, want %s", sql, first, want)
		}
		if again := rewritten(t, first); again != first {
			t.Errorf("%s became %s the second time", first, again)
		}
	}
}

// rewritten rewrites a piece if a Watch says that it is needed; when not, a rewrite must
// change nothing.
func rewritten(t *testing.T, sql string) string {
	t.Helper()
	var w spelling.Watch
	for l := sqltext.NewLexer(sql); ; {
		token := l.Next()
		if token.Kind == sqltext.EOF || token.Kind == sqltext.Invalid {
			break
		}
		w.See(sql, token)
	}
	edits, err := spelling.Rewrite(sql, 0, len(sql))
	if err != nil {
		t.Fatal(err)
	}
	out := edits.Apply(sql, 0, len(sql))
	if !w.Needed && out != sql {
		t.Errorf("%s became %s, but the watch saw nothing", sql, out)
	}
	return out
}
