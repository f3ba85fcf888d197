package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// Lexeme is a piece of a text that is neither white space nor a comment.
type Lexeme struct {
	Pos, End int
	Kind     LexemeKind
}

// LexemeKind says what a Lexeme is.
type LexemeKind uint8

// Kinds of lexemes.
const (
	LexOther  LexemeKind = iota // An operator or bracket.
	LexWord                     // A keyword or a name without quotes.
	LexNumber                   // 12, 1.5, 0xff
	LexQuoted                   // "name"
	LexString                   // 'text', E'text', X'0aff', $tag$text$tag$
	LexParam                    // $1, $name, ?, ?1
)

// Lex splits a text that DuckDB is to read, by DuckDB's rules; they differ from those
// of statements in that a backtick is an operator and $name a placeholder. When the
// error is not nil the lexemes are those before it.
func Lex(sql string) ([]Lexeme, error) {
	l := lexer{src: sql, duck: true}
	var out []Lexeme
	for {
		t := l.next()
		switch t.kind {
		case tEOF:
			return out, nil
		case tError:
			return out, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", l.flaw.text).At(l.flaw.pos)
		}
		out = append(out, Lexeme{t.pos, t.end, lexemeKinds[t.kind]})
	}
}

// lexemeKinds is a table of constants.
var lexemeKinds = [...]LexemeKind{
	tWord: LexWord, tNumber: LexNumber, tHexNumber: LexNumber, tQuoted: LexQuoted, tString: LexString, tEscape: LexString, tHex: LexString,
	tDollar: LexString, tParam: LexParam, tOp: LexOther, tPunct: LexOther,
}

// Blank returns sql, which lexemes are those of, with blanks of ASCII in the place of
// comments and of every other white space, so that whoever reads the text sees the same
// lexemes, whatever else it takes for white space. Offsets stay.
func Blank(sql string, lexemes []Lexeme) string {
	out := []byte(strings.Repeat(" ", len(sql)))
	wide := hasWideBlank(sql)
	for _, l := range lexemes {
		text := sql[l.Pos:l.End]
		escape := l.Kind == LexString && (text[0] == 'e' || text[0] == 'E')
		if escape && wide {
			if plain, ok := unescaped(text); ok {
				copy(out[l.Pos:], plain)
				continue
			}
		}
		copy(out[l.Pos:], text)
		if l.Kind == LexString && text[0] != '$' {
			blankBetween(out[l.Pos:l.End], escape)
		}
	}
	return string(out)
}

// hasWideBlank reports whether s has a space outside ASCII, in a literal or not. DuckDB
// makes blanks of those outside literals, but does not know that a backslash may quote.
func hasWideBlank(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 && unicodeSpace(s, i) > 0 {
			return true
		}
	}
	return false
}

// unescaped returns E'text' without escapes, which is never longer.
func unescaped(s string) (string, bool) {
	value, bad := escapedText(s[1:])
	return "'" + strings.ReplaceAll(value, "'", "''") + "'", bad == "" && strings.IndexByte(value, 0) < 0
}

// blankBetween puts blanks and a new line between the pieces of the string literal s.
func blankBetween(s []byte, escape bool) {
	text := string(s)
	for i := strings.IndexByte(text, '\''); i >= 0; {
		end, _ := quoteEnd(text, i+1, escape)
		if i = continuation(text, end); i < 0 {
			return
		}
		for k := end; k < i; k++ {
			s[k] = ' '
		}
		s[end] = '\n'
	}
}

// duckDollar reads $1, $name and $tag$text$tag$ as DuckDB does.
func (l *lexer) duckDollar(t token) token {
	end, opened := dollarEnd(l.src, t.pos)
	switch {
	case opened && end < 0:
		return l.fail(t.pos, flawDollar)
	case opened:
		t.kind, t.end = tDollar, end
	default:
		t.kind, t.end = tParam, digits(l.src, t.pos+1)
		if t.end == t.pos+1 {
			t.end = wordEnd(l.src, t.end)
		}
	}
	l.pos = t.end
	return t
}

// duckOperator reads an operator: all operator characters up to a comment, without a
// sign at the end unless the operator has a character that no operator of SQL has. Of
// other characters each is a token, but for ?1.
func (l *lexer) duckOperator(t token) token {
	isOp := func(c byte) bool { return classes[c] == cOp && c != '?' || c == '`' }
	s := l.src
	t.kind, t.end = tOp, t.pos+1
	switch {
	case t.ch == '?':
		t.kind, t.end = tParam, digits(s, t.end)
	case isOp(t.ch):
		for t.end < len(s) && isOp(s[t.end]) && !strings.HasPrefix(s[t.end:], "--") && !strings.HasPrefix(s[t.end:], "/*") {
			t.end++
		}
		for t.end > t.pos+1 && (s[t.end-1] == '+' || s[t.end-1] == '-') && !strings.ContainsAny(s[t.pos:t.end], "~!@#^&|`%") {
			t.end--
		}
	}
	l.pos = t.end
	return t
}
