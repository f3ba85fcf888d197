package edit

import (
	"unicode"

	prompt "github.com/c-bata/go-prompt"

	"github.com/kalamlake/kalam/shell/complete"
)

// outcome is what a stroke asks for beyond a change of the text.
type outcome int

const (
	outcomeNone outcome = iota
	outcomeSubmit
	outcomeInterrupt // Ctrl+C.
	outcomeEnd       // Ctrl+D without text.
	outcomeClear     // Ctrl+L.
	outcomeSuspend   // Ctrl+Z.
)

// editing is the state of the line editor: the text, the cursor, where it is in
// the history, and the menu of completions. It knows no terminal.
type editing struct {
	buf     *prompt.Buffer
	nav     *prompt.History
	past    []string // Oldest first, for the search.
	ready   func(text string) int
	suggest func(text string, cursor int) complete.Suggestions

	browsing bool    // The last stroke was one of history; the arrows stay with it.
	search   *search // Ctrl+R, nil if not under way.
	killed   string  // What was cut last, for Ctrl+Y.
	rest     string  // What follows a submitted text: the begin of the next.
	menu     menu
}

// newEditing returns an editing of a history. ready tells up to which byte a text
// can be submitted, suggest what may stand at a byte of it.
func newEditing(past []string, ready func(string) int, suggest func(string, int) complete.Suggestions) *editing {
	e := &editing{buf: prompt.NewBuffer(), ready: ready, suggest: suggest}
	e.menu.init()
	e.setPast(past)
	return e
}

// setPast replaces the history.
func (e *editing) setPast(past []string) {
	e.past = past
	e.nav = prompt.NewHistory()
	for _, s := range past {
		e.nav.Add(s)
	}
}

// begin starts a new text, with what the last paste left over.
func (e *editing) begin() {
	e.buf = bufferOf(e.rest, len([]rune(e.rest)))
	e.rest, e.search, e.browsing = "", nil, false
	e.nav.Clear()
	e.menu.close()
}

// cursorOf returns the index of the cursor, in runes.
func cursorOf(b *prompt.Buffer) int { return len([]rune(b.Document().TextBeforeCursor())) }

// bufferOf returns a buffer with the cursor at an index.
func bufferOf(text string, cursor int) *prompt.Buffer {
	b, r := prompt.NewBuffer(), []rune(text)
	b.InsertText(string(r[:cursor]), false, true)
	b.InsertText(string(r[cursor:]), false, false)
	return b
}

// moveTo puts the cursor at an index of the whole text; those of go-prompt stay in
// the line.
func moveTo(b *prompt.Buffer, at int) {
	text := b.Text()
	*b = *bufferOf(text, min(max(at, 0), len([]rune(text))))
}

func toLineStart(b *prompt.Buffer) { moveTo(b, lineStart([]rune(b.Text()), cursorOf(b))) }

func toLineEnd(b *prompt.Buffer) { moveTo(b, lineEnd([]rune(b.Text()), cursorOf(b))) }

// lineStart returns the index of the first character of the line of at.
func lineStart(text []rune, at int) int {
	for at > 0 && text[at-1] != '\n' {
		at--
	}
	return at
}

// lineEnd returns the index of the line's end.
func lineEnd(text []rune, at int) int {
	for at < len(text) && text[at] != '\n' {
		at++
	}
	return at
}

func isWordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// wordLeft returns the begin of the word before at.
func wordLeft(text []rune, at int) int {
	for at > 0 && !isWordRune(text[at-1]) {
		at--
	}
	for at > 0 && isWordRune(text[at-1]) {
		at--
	}
	return at
}

// wordRight returns the end of the word after at.
func wordRight(text []rune, at int) int {
	for at < len(text) && !isWordRune(text[at]) {
		at++
	}
	for at < len(text) && isWordRune(text[at]) {
		at++
	}
	return at
}

// search is the incremental search of the history, newest first, which go-prompt
// does not have.
type search struct {
	past   []string
	query  string
	at     int // Index in past of what is shown; len(past) for none yet.
	failed bool
	before *prompt.Buffer // For when the search is given up.
}
