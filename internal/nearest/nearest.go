package nearest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Bounds of what Word compares: longer words are no slips of a finger, and the
// distance takes time that grows with their square.
const (
	longestWord  = 64
	mostDistance = 3
)

// Word returns the word for which another was probably mistyped, whatever the case;
// "" if none is like it.
func Word(typed string, words []string) (found string) {
	if typed == "" || len(typed) > longestWord {
		return ""
	}
	lower := strings.ToLower(typed)
	best := min(mostDistance, (len([]rune(typed))+1)/2) + 1
	for _, w := range words {
		if len(w) > longestWord {
			continue
		}
		if d := levenshtein.ComputeDistance(lower, strings.ToLower(w)); d < best {
			found, best = w, d
		}
	}
	return found
}
