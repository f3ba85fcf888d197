package sqltext

import (
	"errors"
	"sort"
	"strings"

	"github.com/kalamlake/kalam"
)

// Edits are the places where the raw SQL of a statement differs from the text
// that was parsed. Nil means nowhere.
type Edits []Edit

// Edit replaces the bytes [Start, End) of the source.
type Edit struct {
	Start, End int
	Text       string
	From       int    // Source offset that positions inside Text stand for.
	Word       string // The word of the source that Text quotes, "" for other edits.
}

// Origin translates an offset in a piece of raw SQL to an offset in the parsed
// text. The piece begins there at pos; offset counts in the piece as it stands
// in the Statement, from 0.
func (e Edits) Origin(pos, offset int) int {
	at := pos
	for i := sort.Search(len(e), func(i int) bool { return e[i].Start >= pos }); i < len(e); i++ {
		gap := e[i].Start - at
		if offset < gap {
			break
		}
		offset -= gap
		if offset < len(e[i].Text) {
			return e[i].From
		}
		offset -= len(e[i].Text)
		at = e[i].End
	}
	return at + offset
}

// Reword returns a message about the SQL at offset at of the parsed text, which
// Origin gave, with the word there as it was written and not as it was quoted.
func (e Edits) Reword(msg string, at int) string {
	i := sort.Search(len(e), func(i int) bool { return e[i].Start >= at })
	if i == len(e) || e[i].Start != at || e[i].Word == "" {
		return msg
	}
	return strings.ReplaceAll(msg, strings.TrimSpace(e[i].Text), e[i].Word)
}

// Place returns err with its position moved from a piece of raw SQL, which begins at pos of the parsed text, to that
// text.
func (e Edits) Place(err error, pos int) error {
	var ke *kalam.Error
	if !errors.As(err, &ke) || ke.Position == 0 {
		return err
	}
	moved, at := *ke, e.Origin(pos, ke.Position-1)
	moved.Msg = e.Reword(ke.Msg, at)
	return moved.At(at)
}

// Apply returns src[start:end] with the edits, which lie inside, made.
func (e Edits) Apply(src string, start, end int) string {
	var b strings.Builder
	b.Grow(end - start + 16*len(e))
	at := start
	for _, x := range e {
		b.WriteString(src[at:x.Start])
		b.WriteString(x.Text)
		at = x.End
	}
	b.WriteString(src[at:end])
	return b.String()
}
