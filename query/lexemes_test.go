package query_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

// duckParser gives the trees of DuckDB's own parser.
type duckParser struct {
	t  testing.TB
	db *sql.DB
	st *sql.Stmt
}

func newDuckParser(t testing.TB) *duckParser {
	t.Helper()
	db := plainDuckDB(t)
	st, err := db.Prepare("SELECT json_serialize_sql($1::VARCHAR)::VARCHAR")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &duckParser{t, db, st}
}

// tree returns the tree of a text without places, nil when it is no query.
func (p *duckParser) tree(text string) any {
	p.t.Helper()
	var doc string
	if err := p.st.QueryRow(text).Scan(&doc); err != nil {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(doc), &v); err != nil || v["error"] != false {
		return nil
	}
	return withoutPlaces(v)
}

func withoutPlaces(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "query_location")
		for _, x := range v {
			withoutPlaces(x)
		}
	case []any:
		for _, x := range v {
			withoutPlaces(x)
		}
	}
	return v
}

// junctions counts the operands of AND and OR in a tree.
func junctions(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		if v["class"] == "CONJUNCTION" {
			n += len(v["children"].([]any)) - 1
		}
		for _, x := range v {
			n += junctions(x)
		}
	case []any:
		for _, x := range v {
			n += junctions(x)
		}
	}
	return n
}

// words counts the ANDs and ORs that our lexer sees.
func words(text string, lexemes []sqltext.Lexeme) int {
	n := 0
	for _, l := range lexemes {
		if w := text[l.Pos:l.End]; l.Kind == sqltext.LexWord && (strings.EqualFold(w, "and") || strings.EqualFold(w, "or")) {
			n++
		}
	}
	return n
}

// spaced writes every lexeme on its own.
func spaced(text string, lexemes []sqltext.Lexeme) string {
	var b strings.Builder
	for i, l := range lexemes {
		if i > 0 && (l.Pos > lexemes[i-1].End || !glued(text, lexemes[i-1], l)) {
			b.WriteByte(' ')
		}
		b.WriteString(text[l.Pos:l.End])
	}
	return b.String()
}

// oddities reports whether a text has one of the things that DuckDB reads in a way of
// its own, which nothing depends on: wide blanks of Unicode after a quote in a comment,
// a dollar or an escaped quote, where DuckDB's search for them loses its way (it never
// sees any: Blank replaces them), and an operator that a comment or sign touches, which
// loses its precedence.
func oddities(text string, lexemes []sqltext.Lexeme) bool {
	wide := strings.ContainsAny(text, "\u00a0\u2003\u200b\ufeff\u3000")
	if wide && (strings.Contains(text, "$") || strings.Contains(text, `\'`)) {
		return true
	}
	end := 0
	for _, l := range append(lexemes, sqltext.Lexeme{Pos: len(text), End: len(text)}) {
		if wide && strings.ContainsAny(text[end:l.Pos], "'\"$") {
			return true
		}
		if rest := text[l.End:]; l.Kind == sqltext.LexOther && rest != "" && strings.Contains("+-/", rest[:1]) {
			return true
		}
		end = l.End
	}
	return false
}

// glued reports whether a blank between two lexemes changes what they mean: that of a
// prefix and its string, as in U&'x' and B'1', and the dots of numbers and names.
func glued(text string, a, b sqltext.Lexeme) bool {
	return b.Kind == sqltext.LexString || b.Kind == sqltext.LexQuoted || strings.Contains(":.", text[a.End-1:a.End]) ||
		strings.Contains(":.=eE", text[b.Pos:b.Pos+1])
}

// checkLexer compares what our lexer sees in text with what DuckDB's sees. It reports whether DuckDB takes the text.
func (p *duckParser) check(text string) bool {
	p.t.Helper()
	text += "  \n" // DuckDB does not look for blanks in the last two bytes.
	want := p.tree(text)
	lexemes, err := sqltext.Lex(text)
	if want == nil || oddities(text, lexemes) {
		return false
	}
	if err != nil {
		p.t.Errorf("%q: DuckDB reads it, our lexer: %v", text, err)
		return true
	}
	if n := junctions(want); words(text, lexemes) < n {
		p.t.Errorf("%q: our lexer sees %d ANDs and ORs, DuckDB %d", text, words(text, lexemes), n)
	}
	for how, same := range map[string]string{"blanked": sqltext.Blank(text, lexemes), "spaced": spaced(text, lexemes)} {
		if got := p.tree(same); fmt.Sprint(got) != fmt.Sprint(want) {
			p.t.Errorf(
				"%q: %s as %q it is another text:\n%s",
				text,
				how,
				same,
				firstDifference(fmt.Sprint(want), fmt.Sprint(got)),
			)
		}
	}
	return true
}

// firstDifference shows where two texts part.
func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("%.200q\n%.200q", a[max(0, i-40):], b[max(0, min(len(b), i)-40):])
}

// TestLexerOfEveryRune: every code point as a separator, in a name and before a quote
// means to our lexer what it means to DuckDB's (case N4).
func TestLexerOfEveryRune(t *testing.T) {
	p := newDuckParser(t)
	taken := 0
	for r := rune(1); r < 0x10000; r++ {
		if r >= 0xD800 && r < 0xE000 {
			continue
		}
		if r > 0x3100 && r%997 != 0 && (r < 0xFE00 || r > 0xFF10) {
			continue
		}
		if p.check(fmt.Sprintf("SELECT 1%cAS%cx, 'a%c' WHERE%c1%cAND%c1", r, r, r, r, r, r)) {
			taken++
		}
	}
	t.Logf("%d texts are queries", taken)
}

// TestLexerOfEveryPair: the same of every two characters of ASCII.
func TestLexerOfEveryPair(t *testing.T) {
	p := newDuckParser(t)
	taken := 0
	for a := byte(1); a < 0x80; a++ {
		for b := byte(1); b < 0x80; b++ {
			for _, form := range []string{
				"SELECT 1%[1]sAND%[1]s1", "SELECT a %[1]s b AND 'x'", "SELECT a%[1]s'x' AND 1 OR 2 --\n'",
			} {
				if p.check(fmt.Sprintf(form, string([]byte{a, b}))) {
					taken++
				}
			}
		}
	}
	t.Logf("%d texts are queries", taken)
}

// lexerParts are pieces of SQL on whose borders lexers differ.
var lexerParts = []string{
	"'", "''", "'a'", "'a''b'", `"`, `"n"`, `"a""b"`, "E'", `E'\''`, `e'a\\'`, `E'\x41'`, `\`, `\'`, "$$", "$t$", "$a",
	"$1", "$", "$ä$", "x'", "X'41'", "b'1'", "N'x'", "U&'a'", "u&", "--", "--x\n", "/*", "*/",
	"/**/", "/*'*/", "/*/**/", "\n", "\r", " ", "\t", "\f", "\v", "\u00a0", "\u2003", "\u200b", "\ufeff", "\u3000", "ä",
	"AND", "OR", "a", "e", "E", "x", "1", "1.", ".5", "1e", "1e5", "1_0", "0x1F", "0b1", "_", "a$b", "a$",
	"+", "-", "*", "/", "//", "%", "=", "==", "<", ">", "->", "->>", "::", ":", ":=", "=>", "@", "#", "#1", "~", "!", "?",
	"`", "^", "&", "|", "||", "(", ")", "[", "]", "{", "}", ",", ";", ".", "'a'\n'b'", "'a' --c\n 'b'",
	"'a'\u00a0\n'b'", "1 AND 2",
}

// TestLexerOfRandomTexts: the same of random texts, of which those that DuckDB takes
// count.
func TestLexerOfRandomTexts(t *testing.T) {
	p := newDuckParser(t)
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 4))
	taken, n := 0, numberOf(t, "KALAM_LEXER_TEXTS", 10_000)
	for range n {
		var b strings.Builder
		b.WriteString("SELECT 1 ")
		for range 1 + rng.IntN(7) {
			b.WriteString(lexerParts[rng.IntN(len(lexerParts))])
		}
		if p.check(b.String()) {
			taken++
		}
	}
	t.Logf("%d of %d texts are queries", taken, n)
}
