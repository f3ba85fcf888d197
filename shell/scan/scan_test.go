package scan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/shell/scan"
)

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		name, text, want string // The cursor is at the |.
		inside           bool
	}{
		{"words", "SELECT a|", "SELECT a", false},
		{"an open string", "SELECT 'it''s|", "SELECT 'it''s", true},
		{"behind a string", "SELECT 'x'|", "SELECT 'x'", false},
		{"an open name", `SELECT "a b|`, `SELECT "a b`, false},
		{"a comment", "a -- b|\nc", "a c", true},
		{"behind a comment", "a /* b */|", "a", false},
		{"a parameter", "a=$1|", "a = $ 1", false},
		{"other letters", "名前|.x", "名前 . x", false},
	} {
		at := strings.IndexByte(c.text, '|')
		tokens, inside := scan.Tokens(c.text[:at]+c.text[at+1:], at)
		var got []string
		for _, token := range tokens {
			got = append(got, token.Text)
		}
		if strings.Join(got, " ") != c.want || inside != c.inside {
			t.Errorf("%s: %q, inside %v", c.name, got, inside)
		}
	}
}

func TestNameParts(t *testing.T) {
	for text, want := range map[string][]string{
		"T": {"t"}, `ns."My T";`: {"ns", "My T"}, "a.b.c": {"a", "b", "c"}, "a.": nil, "a b": nil, "": nil, "'a'": nil,
	} {
		if got := scan.NameParts(text); !slices.Equal(got, want) {
			t.Errorf("%s: %s, want %s", text, fmt.Sprint(got), want)
		}
	}
}
