package scan

import (
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of token.
const (
	Word Kind = iota + 1
	Quoted
	String
	Number
	Punct
)

// Token is a word of a statement that may not be finished.
type Token struct {
	Kind       Kind
	Text       string
	Start, End int // Bytes of the text.
}

// IsWord reports whether t is a word without quotes.
func (t Token) IsWord() bool { return t.Kind == Word }

// IsName reports whether t may be a name.
func (t Token) IsName() bool { return t.Kind == Word || t.Kind == Quoted }

// Is reports whether t is a word, given in upper case.
func (t Token) Is(word string) bool { return t.Kind == Word && strings.EqualFold(t.Text, word) }

// Name returns the name that t stands for.
func (t Token) Name() string {
	if t.Kind == Quoted {
		return strings.ReplaceAll(strings.Trim(t.Text, `"`), `""`, `"`)
	}
	return strings.ToLower(t.Text)
}

// Tokens cuts a text into tokens. It takes what does not end as ending with the
// text; inside says that byte at is in a string or a comment.
func Tokens(text string, at int) (tokens []Token, inside bool) {
	for i := 0; i < len(text); {
		start := i
		kind := Punct
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case strings.HasPrefix(text[i:], "--"):
			i = until(text, i+2, "\n")
			inside = inside || at > start && (at < i || text[i-1] != '\n')
			continue
		case strings.HasPrefix(text[i:], "/*"):
			i = until(text, i+2, "*/")
			closed := i >= start+4 && text[i-2:i] == "*/"
			inside = inside || at > start && (at < i || !closed)
			continue
		case c == '\'':
			i, kind = closing(text, i), String
			closed := i > start+1 && text[i-1] == '\''
			inside = inside || at > start && (at < i || !closed)
		case c == '"':
			i, kind = closing(text, i), Quoted
		case c >= '0' && c <= '9':
			for i < len(text) && (isWordByte(text[i]) || text[i] == '.') {
				i++
			}
			kind = Number
		case isWordByte(c):
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
			kind = Word
		default:
			_, n := utf8.DecodeRuneInString(text[i:])
			i += n
		}
		tokens = append(tokens, Token{kind, text[start:i], start, i})
	}
	return tokens, inside
}

// until returns the offset after the next end from i on, the end of text if there
// is none.
func until(text string, i int, end string) int {
	if i > len(text) {
		return len(text)
	}
	if n := strings.Index(text[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(text)
}

// closing returns the offset after the quoted text at i.
func closing(text string, i int) int {
	q := text[i]
	for i++; i < len(text); i++ {
		if text[i] != q {
			continue
		}
		if i+1 < len(text) && text[i+1] == q {
			i++
			continue
		}
		return i + 1
	}
	return len(text)
}

// isWordByte reports whether a word may hold c. A `$` is no part of it: it begins a
// parameter.
func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// NameParts returns the parts of a dotted name, nil for anything else.
func NameParts(text string) (parts []string) {
	tokens, _ := Tokens(strings.TrimRight(text, "; \t"), 0)
	for i, t := range tokens {
		if i%2 == 0 && !t.IsName() || i%2 == 1 && t.Text != "." {
			return nil
		}
		if i%2 == 0 {
			parts = append(parts, t.Name())
		}
	}
	if len(tokens)%2 == 0 {
		return nil
	}
	return parts
}
