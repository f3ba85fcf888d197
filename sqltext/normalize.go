package sqltext

import (
	"strings"
)

// Normalize returns sql in the form that cache keys use: comments gone, white
// space outside literals collapsed to one blank, reserved words in upper case.
// Two texts with the same result are the same statement with the same column
// names. Text that does not lex is returned as it is.
func Normalize(sql string) string {
	var b strings.Builder
	b.Grow(len(sql))
	l := NewLexer(sql)
	prev := Token{Kind: EOF}
	label := false // The next word is a label or follows a dot: its case counts.
	for {
		t := l.Next()
		if t.Kind == Invalid {
			return sql
		}
		if t.Kind == EOF {
			return b.String()
		}
		text := sql[t.Pos:t.End]
		if prev.Kind != EOF && t.Pos > prev.End {
			// Never a newline, which would make two strings one.
			b.WriteByte(' ')
		}
		if t.Kind == Word && !label && IsReserved(text) && !isKey(l) {
			text = strings.ToUpper(text)
		}
		b.WriteString(text)
		label = t.Kind == Punct && t.Ch == '.' || t.Kind == Word && IsWord(text, "AS")
		prev = t
	}
}

// isKey reports whether the word that l has just read is the key of a struct,
// as in {all: 1} or struct_pack(all := 1).
func isKey(l Lexer) bool {
	t := l.Next()
	return t.Kind == Punct && t.Ch == ':' || t.Kind == Op && (l.Src[t.Pos:t.End] == ":=" || l.Src[t.Pos:t.End] == "=>")
}
