package sqltext

import "strings"

// HasWord reports whether text begins with word (lower case), whatever its case.
func HasWord(text, word string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return len(text) >= len(word) && strings.EqualFold(text[:len(word)], word)
}
