package sqltext_test

import (
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

func TestMapParams(t *testing.T) {
	f := func(n int) int { return n + 10 }
	for sql, want := range map[string]string{
		"":               "",
		"a = b":          "a = b",
		"a = $1":         "a = $11",
		"$1 + $2, $1":    "$11 + $12, $11",
		"'$1' || $1":     "'$1' || $11",
		"\"$1\", `$1`":   "\"$1\", `$1`",
		"$$ $1 $$ || $2": "$$ $1 $$ || $12",
		"a$1 + $1":       "a$1 + $11",
		"-- $1\n$1":      "-- $1\n$11",
		"/* $1 */ $1":    "/* $1 */ $11",
		"$0 + $1":        "$0 + $11",
		"$99999999 + $1": "$99999999 + $11",
		"$1 + 'open $2":  "$11 + 'open $2",
		"$1 + $name":     "$11 + $name",
		"E'\\'$1' || $1": "E'\\'$1' || $11",
		"$1::int + 'é$2": "$11::int + 'é$2",
	} {
		if got := sqltext.MapParams(sql, f); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}
