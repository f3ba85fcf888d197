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
			b.WriteString(separator(sql[prev.end:t.pos], prev, t))
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
// as in {all: 1}.
func isKey(l lexer) bool {
	t := l.next()
	return t.kind == tPunct && t.ch == ':'
}

// separator returns what stands for a gap: a blank, or a newline between two
// strings, where it makes them one.
func separator(gap string, a, b token) string {
	if b.kind == tString && (a.kind == tString || a.kind == tEscape) && strings.ContainsAny(gap, "\r\n") {
		return "\n"
	}
	return " "
}

// IsQuery reports whether sql begins as a statement that reads rows and changes
// nothing: SELECT, WITH, VALUES, FROM, TABLE, SUMMARIZE or a parenthesis.
func IsQuery(sql string) bool {
	l := lexer{src: sql}
	t := l.next()
	return isQueryStart(sql, t)
}

// queryWords begin a query.
const queryWords = " SELECT WITH VALUES FROM TABLE SUMMARIZE "

func isQueryStart(src string, t token) bool {
	if t.kind == tPunct {
		return t.ch == '('
	}
	return t.kind == tWord && wordIn(src[t.pos:t.end], queryWords)
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

// secretWords stand before a literal that must not be shown.
const secretWords = " PASSWORD BY CREDENTIALS OAUTH PASSWORD_HASH AUTH_DATA SECRET "

// Redact returns sql for logs: each string that follows a word like PASSWORD or
// CREDENTIALS, directly or after `=`, is replaced by '***'. In a statement that
// names a column of secrets, and in text that does not lex, every string is.
func Redact(sql string) string {
	l := lexer{src: sql}
	if wordsOf(sql, " PASSWORD_HASH AUTH_DATA CREDENTIALS PASSWORD ") && !wordsOf(sql, " CREATE ALTER ") {
		return redact(sql, true)
	}
	for {
		switch l.next().kind {
		case tError:
			return redact(sql[:l.flaw.pos], true) + " ..."
		case tEOF:
			return redact(sql, false)
		}
	}
}

func wordsOf(sql, list string) bool {
	for l := (lexer{src: sql}); ; {
		t := l.next()
		if t.kind == tEOF || t.kind == tError {
			return false
		}
		if t.kind == tWord && wordIn(sql[t.pos:t.end], list) {
			return true
		}
	}
}

func redact(sql string, all bool) string {
	var b strings.Builder
	at, secret := 0, false
	for l := (lexer{src: sql}); ; {
		t := l.next()
		switch t.kind {
		case tEOF, tError:
			b.WriteString(sql[at:])
			return b.String()
		case tWord:
			secret = wordIn(sql[t.pos:t.end], secretWords)
		case tString, tEscape, tDollar:
			if secret || all {
				b.WriteString(sql[at:t.pos] + "'***'")
				at = t.end
			}
			secret = false
		case tOp: // PASSWORD = 'x'
		default:
			secret = false
		}
	}
}
