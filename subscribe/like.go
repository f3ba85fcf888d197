package subscribe

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lower lowers every character by itself, as DuckDB does; it does not allocate
// when there is nothing to lower.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.Map(unicode.ToLower, s)
		}
	}
	return s
}

// The elements of a pattern that are not a character.
const (
	anyOne  = -1 // _
	anyMany = -2 // %
)

// compilePattern returns the matcher of a LIKE pattern: % is any text, _ one
// character, and the character after the escape itself.
func compilePattern(pattern, escape string) (func(string) bool, error) {
	if len(escape) > 1 {
		return nil, notCompilable("the escape string '%s'", escape)
	}
	var elems []int // bytes, anyOne, anyMany
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case escape != "" && c == escape[0]:
			i++
			if i == len(pattern) {
				return nil, notCompilable("a pattern that ends with its escape character")
			}
			elems = append(elems, int(pattern[i]))
		case c == '_':
			elems = append(elems, anyOne)
		case c == '%':
			if len(elems) == 0 || elems[len(elems)-1] != anyMany {
				elems = append(elems, anyMany)
			}
		default:
			elems = append(elems, int(c))
		}
	}
	if m := simplePattern(elems); m != nil {
		return m, nil
	}
	return func(s string) bool { return matchElems(elems, s) }, nil
}

// simplePattern returns the matcher of text, text%, %text and %text%, nil for
// other patterns.
func simplePattern(elems []int) func(string) bool {
	open := len(elems) > 0 && elems[0] == anyMany
	if open {
		elems = elems[1:]
	}
	tail := len(elems) > 0 && elems[len(elems)-1] == anyMany
	if tail {
		elems = elems[:len(elems)-1]
	}
	b := make([]byte, len(elems))
	for i, e := range elems {
		if e < 0 {
			return nil
		}
		b[i] = byte(e)
	}
	text := string(b)
	switch {
	case open && len(elems) == 0:
		return func(string) bool { return true }
	case open && tail:
		return func(s string) bool { return strings.Contains(s, text) }
	case open:
		return func(s string) bool { return strings.HasSuffix(s, text) }
	case tail:
		return func(s string) bool { return strings.HasPrefix(s, text) }
	}
	return func(s string) bool { return s == text }
}

// matchElems matches s with elems. After a mismatch it goes back to the last %
// and lets it take one byte more, which is enough: an earlier % never needs to
// take more once a later one was reached.
func matchElems(elems []int, s string) bool {
	i, j := 0, 0
	many, from := -1, 0
	for i < len(s) {
		switch {
		case j < len(elems) && elems[j] == anyMany:
			many, from = j, i
			j++
			continue
		case j < len(elems) && elems[j] == anyOne:
			_, n := utf8.DecodeRuneInString(s[i:])
			i += n
			j++
			continue
		case j < len(elems) && elems[j] == int(s[i]):
			i++
			j++
			continue
		case many < 0:
			return false
		}
		from++
		for from < len(s) && !utf8.RuneStart(s[from]) {
			from++
		}
		i, j = from, many+1
	}
	for j < len(elems) && elems[j] == anyMany {
		j++
	}
	return j == len(elems)
}
