package highlight_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell/highlight"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		name, text string
		styles     string // A letter for each byte.
		marks      []string
		open       string
	}{
		{"words", "select a.from, x1 FROM t", "kkkkkk............kkkk..", nil, ""},
		{"values", "'it''s' 1.5 $1 E'\\'' X'0a' 0xff", "sssssss.nnn.nn.sssss.sssss.nnnn", nil, ""},
		{"comments", "-- a\n1 /* b\n /* c */\n*/ 2", "cccc.n.cccccccccccccccc.n", []string{"", "/*", "/*"}, ""},
		{"brackets", "(\n[\n]\n)\n", "........", []string{"(", "[", "(", ""}, ""},
		{"open bracket", "f(1,\n", "..n..", []string{"("}, "("},
		{"a string goes on", "'a\nb\n", "sssss", []string{"'", "'"}, "'"},
		{"a string with lines", "'a\nb' (\n", "sssss...", []string{"'", "("}, "("},
		{"a name goes on", "\"a\n", "...", []string{`"`}, `"`},
		{"backtick", "`a\n", "...", []string{"`"}, "`"},
		{"dollar", "$$a\n", "ssss", []string{"$"}, "$"},
		{"a comment goes on", "1 /* a\n", "n.ccccc", []string{"/*"}, "/*"},
		{"the next statement", "f(;\n1\n", "....n.", []string{"", ""}, ""},
		{"command", "\\d app.t 'x'\nselect\n", "oo.......sss.kkkkkk.", []string{"", ""}, ""},
		{"command after a statement", "1; \\x on", "n..oo.kk", nil, ""},
		{"no command", "1 \\x", "n...", nil, ""},
		{"nothing", "", "", nil, ""},
		{"not text", "\xff'\x00", ".ss", nil, "'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := highlight.Scan(c.text)
			var letters strings.Builder
			for _, s := range got.Styles {
				letters.WriteByte(".ksnco"[s])
			}
			if d := cmp.Diff(c.styles, letters.String()); d != "" {
				t.Errorf("styles: %s", d)
			}
			if d := cmp.Diff(c.marks, got.Marks); d != "" {
				t.Errorf("marks: %s", d)
			}
			if got.Open != c.open {
				t.Errorf("open: %q, want %q", got.Open, c.open)
			}
		})
	}
}

func FuzzScan(f *testing.F) {
	f.Add("SELECT 'a\n/* ( \\x")
	f.Fuzz(func(t *testing.T, text string) {
		got := highlight.Scan(text)
		if len(got.Styles) != len(text) || len(got.Marks) != strings.Count(text, "\n") {
			t.Fatalf("%q: %d styles and %d marks", text, len(got.Styles), len(got.Marks))
		}
	})
}
