package sqltext_test

import (
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

func TestWithoutValues(t *testing.T) {
	for sql, want := range map[string]string{
		"": "",
		"SELECT a1, 'x''y', 12, 1.5e3, 0x1f FROM \"t 1\" -- c": "SELECT a1, ?, ?, ?, ? FROM \"t 1\"",
		"SELECT $1, $$a$$, $x$a 'b'$x$, E'a\\'b'":              "SELECT $1, ?, ?, ?",
		"SELECT X'00', 'a' 'b'":                                "SELECT ?, ? ?",
		"SELECT 'a', 'open":                                    "SELECT ?, ...",
		"LIMIT 5":                                              "LIMIT ?",
	} {
		if got := sqltext.WithoutValues(sql); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
}
