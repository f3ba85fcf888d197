package spelling

import "github.com/kalamlake/kalam/sqltext"

// tokens lexes src[start:end].
func tokens(src string, start, end int) []sqltext.Token {
	var out []sqltext.Token
	l := sqltext.LexerAt(src[:end], start)
	for {
		t := l.Next()
		if t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid {
			return out
		}
		out = append(out, t)
	}
}

// isKeyword reports whether t is a word that DuckDB does not read as a name, not
// even before a dot. END is none there: it ends a CASE, and what is after the dot
// is a field or method of its value.
func isKeyword(src string, t sqltext.Token) bool {
	return t.Kind == sqltext.Word && sqltext.IsReserved(src[t.Pos:t.End]) && !sqltext.IsWord(src[t.Pos:t.End], "END")
}

// opensName reports whether token i is the first part of a dotted name and a
// keyword, as in default.t. After a dot DuckDB takes every word for a name.
func opensName(src string, toks []sqltext.Token, i int) bool {
	return i+1 < len(toks) && sqltext.IsDot(toks[i+1]) && isKeyword(src, toks[i]) &&
		(i == 0 || !sqltext.IsDot(toks[i-1]))
}

func endsWithQuote(t sqltext.Token) bool {
	return t.Kind == sqltext.String || t.Kind == sqltext.Escape || t.Kind == sqltext.Hex
}

// isStar reports whether t is the operator `*`.
func isStar(t sqltext.Token) bool { return t.Kind == sqltext.Op && t.Ch == '*' && t.End == t.Pos+1 }
