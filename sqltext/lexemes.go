package sqltext

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
	l := Lexer{Src: sql, duck: true}
	var out []Lexeme
	for {
		t := l.Next()
		switch t.Kind {
		case EOF:
			return out, nil
		case Invalid:
			return out, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", l.Flaw.Text).At(l.Flaw.Pos)
		}
		out = append(out, Lexeme{t.Pos, t.End, lexemeKinds[t.Kind]})
	}
}

// lexemeKinds is a table of constants.
var lexemeKinds = [...]LexemeKind{
	Word: LexWord, Number: LexNumber, HexNumber: LexNumber, Quoted: LexQuoted, String: LexString,
	Escape: LexString, Hex: LexString,
	Dollar: LexString, Param: LexParam, Op: LexOther, Punct: LexOther,
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
func (l *Lexer) duckDollar(t Token) Token {
	end, opened := dollarEnd(l.Src, t.Pos)
	switch {
	case opened && end < 0:
		return l.fail(t.Pos, flawDollar)
	case opened:
		t.Kind, t.End = Dollar, end
	default:
		t.Kind, t.End = Param, Digits(l.Src, t.Pos+1)
		if t.End == t.Pos+1 {
			t.End = wordEnd(l.Src, t.End)
		}
	}
	l.Pos = t.End
	return t
}

// duckOperator reads an operator: all operator characters up to a comment, without a
// sign at the end unless the operator has a character that no operator of SQL has. Of
// other characters each is a token, but for ?1.
func (l *Lexer) duckOperator(t Token) Token {
	isOp := func(c byte) bool { return classes[c] == ClassOp && c != '?' || c == '`' }
	s := l.Src
	t.Kind, t.End = Op, t.Pos+1
	switch {
	case t.Ch == '?':
		t.Kind, t.End = Param, Digits(s, t.End)
	case isOp(t.Ch):
		for t.End < len(s) && isOp(s[t.End]) && !strings.HasPrefix(s[t.End:], "--") && !strings.HasPrefix(s[t.End:], "/*") {
			t.End++
		}
		for t.End > t.Pos+1 && (s[t.End-1] == '+' || s[t.End-1] == '-') && !strings.ContainsAny(s[t.Pos:t.End], "~!@#^&|`%") {
			t.End--
		}
	}
	l.Pos = t.End
	return t
}
