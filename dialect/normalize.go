package dialect

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
	l := newLexer(sql)
	prev := token{kind: tEOF}
	label := false // The next word is a label or follows a dot: its case counts.
	for {
		t := l.next()
		if t.kind == tError {
			return sql
		}
		if t.kind == tEOF {
			return b.String()
		}
		text := sql[t.pos:t.end]
		if prev.kind != tEOF && t.pos > prev.end {
			// Never a newline, which would make two strings one.
			b.WriteByte(' ')
		}
		if t.kind == tWord && !label && IsReserved(text) && !isKey(l) {
			text = strings.ToUpper(text)
		}
		b.WriteString(text)
		label = t.kind == tPunct && t.ch == '.' || t.kind == tWord && isWord(text, "AS")
		prev = t
	}
}

// isKey reports whether the word that l has just read is the key of a struct,
// as in {all: 1} or struct_pack(all := 1).
func isKey(l lexer) bool {
	t := l.next()
	return t.kind == tPunct && t.ch == ':' || t.kind == tOp && (l.src[t.pos:t.end] == ":=" || l.src[t.pos:t.end] == "=>")
}
