package edit

import (
	"slices"
	"strings"

	prompt "github.com/c-bata/go-prompt"

	"github.com/kalamlake/kalam/shell/complete"
)

// The largest number of completions shown, after TAB and while typing; and the
// characters of a word from which on they are shown while typing.
const (
	menuAfterTab = 20
	menuTyping   = 6
	menuFrom     = 2
)

// menu is the list of completions below the text. go-prompt's manager moves
// through it.
type menu struct {
	manager *prompt.CompletionManager
	items   []prompt.Suggest
	tabbed  bool // It was asked for; else it comes by itself while typing.
	start   int  // Byte at which the word begins.
	base    *prompt.Buffer
}

func (m *menu) init() {
	m.manager = prompt.NewCompletionManager(func(prompt.Document) []prompt.Suggest { return m.items }, menuAfterTab)
}

func (m *menu) open() bool { return len(m.items) > 0 }

func (m *menu) close() { m.set(nil, nil, 0, false) }

// set opens the menu over what may stand at the cursor of base.
func (m *menu) set(base *prompt.Buffer, items []prompt.Suggest, start int, tabbed bool) {
	m.items, m.base, m.start, m.tabbed = items, base, start, tabbed
	m.manager.Reset()
	m.manager.Update(*prompt.NewDocument())
}

// cancel closes the menu and returns the text from before.
func (m *menu) cancel(now *prompt.Buffer) *prompt.Buffer {
	if m.tabbed && m.base != nil {
		now = m.base
	}
	m.close()
	return now
}

// selected returns the index of the selection, -1 for none.
func (m *menu) selected() int {
	s, ok := m.manager.GetSelectedSuggestion()
	if !ok {
		return -1
	}
	for i, item := range m.items {
		if item == s {
			return i
		}
	}
	return -1
}

// tab completes the word at the cursor: the only match, or the only one of those
// that are most likely, is inserted; of several what they have in common, and the
// next TABs go through them.
func (e *editing) tab(back bool) {
	e.browsing = false
	if e.menu.tabbed && e.menu.open() {
		e.cycle(back)
		return
	}
	text, at := e.buf.Text(), len(e.buf.Document().TextBeforeCursor())
	found := e.suggest(text, at)
	word := text[found.Start:at]
	e.menu.close()
	if len(found.Items) == 0 {
		return
	}
	best := 0
	for best < len(found.Items) && found.Items[best].Tier == found.Items[0].Tier {
		best++
	}
	insert := found.Items[0].Text
	if best > 1 {
		insert = commonPrefix(found.Items[:best])
		if len(insert) < len(word) || !strings.EqualFold(insert[:len(word)], word) {
			insert = word
		}
	}
	e.buf = replaced(text, found.Start, at, insert)
	if len(found.Items) > 1 {
		e.menu.set(bufferOf(e.buf.Text(), cursorOf(e.buf)), suggests(found.Items), found.Start, true)
		if best == 1 {
			e.menu.manager.Next() // It stands in the text already.
		}
	}
}

// cycle puts the next completion into the text.
func (e *editing) cycle(back bool) {
	if back {
		e.menu.manager.Previous()
	} else {
		e.menu.manager.Next()
	}
	base := e.menu.base
	if s, ok := e.menu.manager.GetSelectedSuggestion(); ok {
		e.buf = replaced(base.Text(), e.menu.start, len(base.Document().TextBeforeCursor()), s.Text)
		return
	}
	e.buf = bufferOf(base.Text(), cursorOf(base)) // Past the last one.
}

// typing shows what may complete the word that is being typed.
func (e *editing) typing() {
	text, at := e.buf.Text(), len(e.buf.Document().TextBeforeCursor())
	if e.search != nil || e.menu.tabbed || at == 0 {
		return
	}
	found := e.suggest(text, at)
	word := text[found.Start:at]
	isWord := func(s complete.Suggestion) bool { return strings.EqualFold(s.Text, word) }
	if len([]rune(word)) < menuFrom || slices.ContainsFunc(found.Items, isWord) {
		return // Too little to go by, or a word that is complete.
	}
	e.menu.set(nil, suggests(found.Items), found.Start, false)
}

// suggests converts to go-prompt's form.
func suggests(items []complete.Suggestion) []prompt.Suggest {
	out := make([]prompt.Suggest, len(items))
	for i, s := range items {
		out[i] = prompt.Suggest{Text: s.Text, Description: s.Kind}
	}
	return out
}

// replaced is a text whose bytes from start to end are replaced, with the cursor
// behind them.
func replaced(text string, start, end int, by string) *prompt.Buffer {
	return bufferOf(text[:start]+by+text[end:], len([]rune(text[:start]+by)))
}

// commonPrefix is what all of items begin with, whatever the case.
func commonPrefix(items []complete.Suggestion) string {
	prefix := []rune(items[0].Text)
	for _, s := range items[1:] {
		n := 0
		for _, r := range s.Text {
			if n == len(prefix) || !strings.EqualFold(string(prefix[n]), string(r)) {
				break
			}
			n++
		}
		prefix = prefix[:n]
	}
	return string(prefix)
}
