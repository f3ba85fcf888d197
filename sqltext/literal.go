package sqltext

import (
	"strings"
	"unicode/utf8"
)

// Text returns the characters of a string token. They alias the source unless
// the literal has escapes or continuations. bad says what is wrong with it.
func (l *Lexer) Text(t Token) (value, bad string) {
	s := l.Src[t.Pos:t.End]
	switch t.Kind {
	case String:
		return plainText(s), ""
	case Dollar:
		tag := strings.IndexByte(s[1:], '$') + 2
		return s[tag : len(s)-tag], ""
	case Escape:
		return escapedText(s[1:])
	}
	return "", "not a string"
}

// plainText decodes 'text' and its continuations.
func plainText(s string) string {
	inner := s[1 : len(s)-1]
	if strings.IndexByte(inner, '\'') < 0 {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		end, _ := quoteEnd(s, i+1, false)
		b.WriteString(strings.ReplaceAll(s[i+1:end-1], "''", "'"))
		if i = continuation(s, end); i < 0 {
			break
		}
	}
	return b.String()
}

// escapedText decodes the part of E'text' after the E, with its continuations.
func escapedText(s string) (value, bad string) {
	var b strings.Builder
	for i := 0; i < len(s); {
		end, _ := quoteEnd(s, i+1, true)
		if bad = unescape(&b, s[i+1:end-1]); bad != "" {
			return "", bad
		}
		if i = continuation(s, end); i < 0 {
			break
		}
	}
	value = b.String()
	if !utf8.ValidString(value) {
		return "", "the escapes of the string make invalid UTF-8"
	}
	return value, ""
}

// escapes maps the letter of a backslash escape to its byte.
const escapeLetters, escapeBytes = "bfnrtv", "\b\f\n\r\t\v"

// unescape appends the text of an E string: C escapes, octal and hexadecimal
// bytes, \u and \U code points, doubled quotes.
func unescape(b *strings.Builder, s string) (bad string) {
	for i := 0; i < len(s); {
		c := s[i]
		i++
		if c == '\'' {
			i++ // The second of a doubled quote.
		}
		if c != '\\' || i == len(s) {
			b.WriteByte(c)
			continue
		}
		c = s[i]
		i++
		switch {
		case strings.IndexByte(escapeLetters, c) >= 0:
			b.WriteByte(escapeBytes[strings.IndexByte(escapeLetters, c)])
		case c >= '0' && c <= '7':
			n, end := radix(s, i-1, 3, 8)
			b.WriteByte(byte(n))
			i = end
		case c == 'x' && i < len(s) && hexDigit(s[i]) >= 0:
			n, end := radix(s, i, 2, 16)
			b.WriteByte(byte(n))
			i = end
		case c == 'u' || c == 'U':
			width := 4
			if c == 'U' {
				width = 8
			}
			n, end := radix(s, i, width, 16)
			if end != i+width || !utf8.ValidRune(rune(n)) {
				return "invalid Unicode escape in the string"
			}
			b.WriteRune(rune(n))
			i = end
		default:
			b.WriteByte(c)
		}
	}
	return ""
}

// radix reads at most most digits of the given base from s[i:].
func radix(s string, i, most, base int) (n, end int) {
	for end = i; end < len(s) && end < i+most; end++ {
		d := hexDigit(s[end])
		if d < 0 || d >= base {
			break
		}
		n = n*base + d
	}
	return n, end
}

// HexText returns the bytes of X'0aff' or 0x0aff.
func HexText(s string) (value, bad string) {
	if s[0] == '0' {
		s = s[2:]
	} else {
		s = plainText(s[1:])
	}
	if len(s)%2 != 0 {
		return "", "a hexadecimal literal needs an even number of digits"
	}
	out := make([]byte, len(s)/2)
	for i := range out {
		hi, lo := hexDigit(s[2*i]), hexDigit(s[2*i+1])
		if hi < 0 || lo < 0 {
			return "", "a hexadecimal literal may only hold the digits 0-9 and a-f"
		}
		out[i] = byte(hi<<4 | lo)
	}
	return string(out), ""
}

// UnquoteIdent returns the name of a quoted identifier token.
func UnquoteIdent(s string) string {
	q, inner := s[:1], s[1:len(s)-1]
	if strings.Contains(inner, q) {
		inner = strings.ReplaceAll(inner, q+q, q)
	}
	return inner
}

// WithoutUnderscores returns the text of a number without the underscores that may group its digits, or "" if it is
// longer than any integer.
func WithoutUnderscores(s string) string {
	if len(s) > 40 {
		return ""
	}
	return strings.ReplaceAll(s, "_", "")
}
