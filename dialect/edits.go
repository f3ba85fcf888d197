package dialect

import (
	"sort"
	"strings"
)

// Edits are the places where the raw SQL of a statement differs from the text
// that was parsed. Nil means nowhere.
type Edits []edit

// edit replaces the bytes [start, end) of the source.
type edit struct {
	start, end int
	text       string
	from       int    // Source offset that positions inside text stand for.
	word       string // The word of the source that text quotes, "" for other edits.
}

// Origin translates an offset in a piece of raw SQL to an offset in the parsed
// text. The piece begins there at pos; offset counts in the piece as it stands
// in the Statement, from 0.
func (e Edits) Origin(pos, offset int) int {
	at := pos
	for i := sort.Search(len(e), func(i int) bool { return e[i].start >= pos }); i < len(e); i++ {
		gap := e[i].start - at
		if offset < gap {
			break
		}
		offset -= gap
		if offset < len(e[i].text) {
			return e[i].from
		}
		offset -= len(e[i].text)
		at = e[i].end
	}
	return at + offset
}

// Reword returns a message about the SQL at offset at of the parsed text, which
// Origin gave, with the word there as it was written and not as it was quoted.
func (e Edits) Reword(msg string, at int) string {
	i := sort.Search(len(e), func(i int) bool { return e[i].start >= at })
	if i == len(e) || e[i].start != at || e[i].word == "" {
		return msg
	}
	return strings.ReplaceAll(msg, strings.TrimSpace(e[i].text), e[i].word)
}

// apply returns src[start:end] with the edits, which lie inside, made.
func (e Edits) apply(src string, start, end int) string {
	var b strings.Builder
	b.Grow(end - start + 16*len(e))
	at := start
	for _, x := range e {
		b.WriteString(src[at:x.start])
		b.WriteString(x.text)
		at = x.end
	}
	b.WriteString(src[at:end])
	return b.String()
}
