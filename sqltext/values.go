package sqltext

import "strings"

// WithoutValues returns sql with ? in the place of its literals and without comments, for
// whoever may know what runs but not on which values. Text that does not lex is cut at the flaw.
func WithoutValues(sql string) string {
	var b strings.Builder
	b.Grow(len(sql))
	end := 0
	for l := NewLexer(sql); ; {
		t := l.Next()
		if t.Kind == EOF {
			return b.String()
		}
		if t.Pos > end && end > 0 {
			b.WriteByte(' ')
		}
		end = t.End
		switch t.Kind {
		case Invalid:
			b.WriteString("...")
			return b.String()
		case String, Escape, Dollar, Hex, HexNumber, Number:
			b.WriteByte('?')
		default:
			b.WriteString(sql[t.Pos:t.End])
		}
	}
}

// Shape returns at most limit bytes of sql without its values, and without what may be a secret in a text that is
// no statement, for logs.
func Shape(sql string, limit int) string {
	text := WithoutValues(Redact(sql))
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
