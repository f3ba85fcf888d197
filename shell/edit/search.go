package edit

import (
	"strings"

	prompt "github.com/c-bata/go-prompt"

	"github.com/kalamlake/kalam/shell/format"
)

func newSearch(past []string, buf *prompt.Buffer) *search {
	return &search{past: past, at: len(past), before: buf}
}

// find looks from index from on, by -1 for older or 1 for newer statements.
func (s *search) find(from, by int) {
	for i := from; i >= 0 && i < len(s.past); i += by {
		if strings.Contains(strings.ToLower(s.past[i]), strings.ToLower(s.query)) {
			s.at, s.failed = i, false
			return
		}
	}
	s.failed = true
}

// match returns the statement that is shown, and where the query is in it, in
// runes.
func (s *search) match() (text string, cursor int) {
	if s.at >= len(s.past) {
		return "", 0
	}
	text = s.past[s.at]
	lower := strings.ToLower(text)
	if i := strings.Index(lower, strings.ToLower(s.query)); i >= 0 {
		cursor = min(len([]rune(lower[:i])), len([]rune(text)))
	}
	return text, cursor
}

// prompt is what stands before the statement.
func (s *search) prompt() string {
	word := "(reverse-i-search)"
	if s.failed {
		word = "(failed reverse-i-search)"
	}
	return word + "`" + format.Escape(s.query) + "': "
}

// searchKey does what a stroke means in a search. It reports false if the search
// has ended and the stroke remains to be done.
func (e *editing) searchKey(key prompt.Key, stroke []byte) bool {
	s := e.search
	switch {
	case key == prompt.ControlR:
		if s.query != "" {
			s.find(s.at-1, -1)
		}
	case key == prompt.ControlS:
		if s.query != "" {
			s.find(s.at+1, 1)
		}
	case key == prompt.Backspace, key == prompt.ControlH:
		if r := []rune(s.query); len(r) > 0 {
			s.query, s.at, s.failed = string(r[:len(r)-1]), len(s.past), false
			if len(r) > 1 {
				s.find(len(s.past)-1, -1)
			}
		}
	case key == prompt.ControlG:
		e.buf, e.search = s.before, nil
	case key == prompt.Escape:
		e.endSearch()
	case key == prompt.NotDefined && IsText(stroke):
		s.query += strings.ToValidUTF8(string(stroke), "\uFFFD")
		s.find(min(s.at, len(s.past)-1), -1)
	default:
		e.endSearch()
		return false
	}
	return true
}

// endSearch takes over what the search found.
func (e *editing) endSearch() {
	if e.search == nil {
		return
	}
	e.buf = e.search.before
	if text, cursor := e.search.match(); text != "" {
		e.buf = bufferOf(text, cursor)
	}
	e.search = nil
}
