package dialect

import (
	"slices"
	"strings"
)

func sortedWords(list string) []string {
	words := strings.Fields(strings.ToUpper(list))
	slices.Sort(words)
	return slices.Compact(words)
}

// Normalize returns sql in the form that cache keys use: comments gone, white
// space outside literals collapsed to one blank, reserved words in upper case.
// Two texts with the same result are the same statement with the same column
// names. Text that does not lex is returned as it is.
func Normalize(sql string) string {
	var b strings.Builder
	b.Grow(len(sql))
	l := lexer{src: sql}
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

// IsQuery reports whether sql begins as a statement that reads rows and changes
// nothing: SELECT, WITH, VALUES, FROM, TABLE, SUMMARIZE or a parenthesis.
func IsQuery(sql string) bool {
	l := lexer{src: sql}
	t := l.next()
	return isQueryStart(sql, t)
}

// queryWords begin a query.
const queryWords = " SELECT WITH VALUES FROM TABLE SUMMARIZE PIVOT UNPIVOT PIVOT_WIDER PIVOT_LONGER "

func isQueryStart(src string, t token) bool {
	if t.kind == tPunct {
		return t.ch == '('
	}
	return t.kind == tWord && wordIn(src[t.pos:t.end], queryWords) && !dotFollows(src, t.end)
}

// wordIn reports whether word, in any case, is one of list, whose words are in
// upper case with a blank around each.
func wordIn(word, list string) bool {
	for i := 1; i < len(list); {
		n := strings.IndexByte(list[i:], ' ')
		if n == len(word) && isWord(word, list[i:i+n]) {
			return true
		}
		i += n + 1
	}
	return false
}
