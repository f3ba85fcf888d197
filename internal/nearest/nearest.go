package nearest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Bounds of what Word compares: longer words are no slips of a finger, and the
// distance takes time that grows with their square.
const (
	longestWord  = 64
	mostDistance = 3
)

// Most is how many words Words returns at most.
const Most = 3

// Words returns the words that differ from another in the fewest letters, half of them at most,
// whatever the case, each once: for one of them it was probably mistyped. Those that begin like
// it come first, then those that are as long.
func Words(typed string, words []string) []string {
	type near struct {
		word                     string
		distance, prefix, length int // length: how many bytes it has more or less.
	}
	if typed == "" || len(typed) > longestWord {
		return nil
	}
	lower := strings.ToLower(typed)
	most := min(mostDistance, max(1, len([]rune(typed))/2))
	var found []near
	for _, w := range words {
		if len(w) > longestWord || slices.ContainsFunc(found, func(n near) bool { return n.word == w }) {
			continue
		}
		low := strings.ToLower(w)
		if d := levenshtein.ComputeDistance(lower, low); d <= most {
			found = append(found, near{w, d, prefix(lower, low), max(len(w)-len(typed), len(typed)-len(w))})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(a.distance-b.distance, b.prefix-a.prefix, a.length-b.length, cmp.Compare(a.word, b.word))
	})
	var out []string
	for _, n := range found[:min(len(found), Most)] {
		if n.distance == found[0].distance {
			out = append(out, n.word)
		}
	}
	return out
}

// prefix returns how many bytes two words have in common at their beginning.
func prefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

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
