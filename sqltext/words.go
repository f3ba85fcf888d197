package sqltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns s with the letters A to Z in lower case; s itself if it has none.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return foldFrom(s, i)
		}
	}
	return s
}

func foldFrom(s string, i int) string {
	b := []byte(s)
	for ; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// Upper returns s with the letters a to z in upper case. Other letters stay:
// keywords are ASCII, and no other letter may turn into one of theirs.
func Upper(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'a' && c <= 'z' {
			return upperFrom(s, i)
		}
	}
	return s
}

func upperFrom(s string, i int) string {
	b := []byte(s)
	for ; i < len(b); i++ {
		if b[i] >= 'a' && b[i] <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}

// IsWord reports whether s is the word w, which is given in upper case.
func IsWord(s, w string) bool {
	if len(s) != len(w) {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != w[i] {
			return false
		}
	}
	return true
}

// WordIn reports whether word, in any case, is one of list, whose words are in
// upper case with a blank around each.
func WordIn(word, list string) bool {
	for i := 1; i < len(list); {
		n := strings.IndexByte(list[i:], ' ')
		if n == len(word) && IsWord(word, list[i:i+n]) {
			return true
		}
		i += n + 1
	}
	return false
}

// MaxShown is how many bytes of a user's token a message repeats.
const MaxShown = 32

// Short returns s for a message: at most maxShown bytes, cut at a rune, what does
// not print (control characters, line separators, directions) as spaces.
func Short(s string) string {
	cut := s
	if len(cut) > MaxShown {
		n := MaxShown
		for n > 0 && !utf8.RuneStart(cut[n]) {
			n--
		}
		cut = cut[:n]
	}
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, cut)
	if len(cut) < len(s) {
		clean += "..."
	}
	return clean
}
