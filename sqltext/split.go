package sqltext

import (
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// Fragment is one statement of a request, as written: without the blanks and
// comments around it and without its `;`. Text aliases the request.
type Fragment struct {
	Text   string
	Offset int // Of Text in the request, in bytes.
}

// Split cuts text at each `;` that stands outside quotes and comments. Empty
// statements are left out, so the result is empty for blank text. The error is
// CodeBatchParse with a position: an unterminated quote or comment, invalid
// UTF-8, a NUL byte outside a string literal.
func Split(text string) ([]Fragment, error) {
	if at := InvalidUTF8(text); at >= 0 {
		return nil, batchError(at, FlawUTF8)
	}
	var out []Fragment
	for i := 0; i < len(text); {
		start, bad := SkipBlank(text, i)
		if bad != "" {
			return nil, batchError(start, bad)
		}
		end, last, f := statementEnd(text, start)
		if f.Text != "" {
			return nil, batchError(f.Pos, f.Text)
		}
		if last > start {
			out = append(out, Fragment{Text: text[start:last], Offset: start})
		}
		i = end + 1
	}
	return out, nil
}

func batchError(pos int, text string) error {
	e := kalam.Errorf(kalam.CodeBatchParse, "Failed to parse SQL batch: %s", text).At(pos)
	switch text {
	case flawString, flawIdentifier:
		return e.Advise("a quote within a text is written twice: 'it''s'")
	case flawComment:
		return e.Advise("a comment ends with */")
	}
	return e
}

// InvalidUTF8 returns the offset of the first byte that is not valid UTF-8, -1
// if there is none.
func InvalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// statementEnd returns the offset of the `;` or the end of text that ends the
// statement which begins at i, and the offset after its last token.
func statementEnd(s string, i int) (end, last int, f Flaw) {
	last = i
	for i < len(s) {
		c := s[i]
		switch classes[c] {
		case ClassSpace:
			i++
			continue
		case ClassWord:
			if c >= 0x80 {
				if w := unicodeSpace(s, i); w > 0 {
					i += w
					continue
				}
			}
			w := wordEnd(s, i)
			if w == i+1 && (c == 'e' || c == 'E') && w < len(s) && s[w] == '\'' {
				var ok bool
				if w, ok = stringEnd(s, w, true); !ok {
					return i, i, Flaw{i, flawString}
				}
			}
			i = w
		case ClassDigit:
			_, i = number(s, i)
		case ClassQuote:
			if i, f = quoteToken(s, i); f.Text != "" {
				return i, i, f
			}
		case ClassDollar:
			if i, f = dollarToken(s, i); f.Text != "" {
				return i, i, f
			}
		case ClassNUL:
			return i, i, Flaw{i, flawNUL}
		default:
			if c == ';' {
				return i, last, f
			}
			if (c == '-' || c == '/') && i+1 < len(s) && (s[i+1] == '-' || s[i+1] == '*') {
				next, bad := SkipBlank(s, i)
				if bad != "" {
					return i, i, Flaw{next, bad}
				}
				if next > i {
					i = next
					continue
				}
			}
			i++
		}
		last = i
	}
	return i, last, f
}

// dollarToken returns the offset after the dollar-quoted string or placeholder at
// i, or after a `$` that begins neither.
func dollarToken(s string, i int) (int, Flaw) {
	end, opened := dollarEnd(s, i)
	switch {
	case opened && end < 0:
		return i, Flaw{i, flawDollar}
	case opened:
		return end, Flaw{}
	}
	for i++; i < len(s) && classes[s[i]] == ClassDigit; i++ {
	}
	return i, Flaw{}
}

// quoteToken returns the offset after the string or quoted identifier at i.
func quoteToken(s string, i int) (int, Flaw) {
	if s[i] == '\'' {
		end, ok := stringEnd(s, i, false)
		if !ok {
			return i, Flaw{i, flawString}
		}
		return end, Flaw{}
	}
	l := LexerAt(s, i)
	t := l.Next()
	return t.End, l.Flaw
}
