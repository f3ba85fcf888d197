package edit

import (
	"strings"
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

// feed does what a stroke means.
func (e *editing) feed(stroke []byte) outcome {
	if strings.HasPrefix(string(stroke), pasteBegin) {
		e.endSearch()
		return e.paste(unescaped(stroke))
	}
	key := keyOf(stroke)
	if e.search != nil {
		if done := e.searchKey(key, stroke); done {
			return outcomeNone
		}
	}
	if key == prompt.Tab || key == prompt.BackTab {
		e.tab(key == prompt.BackTab)
		return outcomeNone
	}
	if key == prompt.Escape && e.menu.open() {
		e.buf = e.menu.cancel(e.buf)
		return outcomeNone
	}
	e.menu.close()
	if IsText(stroke) {
		e.browsing = false
		e.buf.InsertText(strings.ToValidUTF8(string(stroke), "\uFFFD"), false, true)
		return outcomeNone
	}
	return e.command(key)
}

// command does what a key means that is no text.
func (e *editing) command(key prompt.Key) outcome {
	switch key {
	case prompt.Up, prompt.ControlP:
		e.vertical(-1)
		return outcomeNone
	case prompt.Down, prompt.ControlN:
		e.vertical(1)
		return outcomeNone
	}
	e.browsing = false
	switch key {
	case prompt.Enter:
		return e.enter()
	case prompt.ControlC:
		return outcomeInterrupt
	case prompt.ControlD:
		if e.buf.Text() == "" {
			return outcomeEnd
		}
		e.buf.Delete(1)
	case prompt.ControlL:
		return outcomeClear
	case prompt.ControlZ:
		return outcomeSuspend
	case prompt.ControlR:
		e.search = newSearch(e.past, e.buf)
	case prompt.ControlY:
		e.buf.InsertText(e.killed, false, true)
	default:
		e.bound(key)
	}
	return outcomeNone
}

// bound runs the binding of a key, and keeps what it cut.
func (e *editing) bound(key prompt.Key) {
	for _, b := range bindings {
		if b.Key != key {
			continue
		}
		before, at := []rune(e.buf.Text()), cursorOf(e.buf)
		b.Fn(e.buf)
		if cut := len(before) - len([]rune(e.buf.Text())); cut > 0 && kills[key] {
			from := min(at, cursorOf(e.buf))
			e.killed = string(before[from : from+cut])
		}
		return
	}
}

// enter submits a text that is complete, or begins a new line of it.
func (e *editing) enter() outcome {
	text := e.buf.Text()
	if e.ready(text) >= len(text) {
		return outcomeSubmit
	}
	e.buf.InsertText("\n", false, true)
	return outcomeNone
}

// paste inserts a text. Its lines are as if Enter had been typed after each: what
// is complete up to the last of them is submitted, the rest remains.
func (e *editing) paste(text string) outcome {
	e.menu.close()
	e.browsing = false
	e.buf.InsertText(text, false, true)
	last := strings.LastIndexByte(text, '\n')
	if last < 0 {
		return outcomeNone
	}
	whole := e.buf.Text()
	before := e.buf.Document().TextBeforeCursor()
	lines := len(before) - len(text) + last + 1
	n := e.ready(whole[:lines])
	if n == 0 {
		return outcomeNone
	}
	done := strings.TrimRight(whole[:n], "\n")
	e.buf, e.rest = bufferOf(done, len([]rune(done))), strings.TrimLeft(whole[n:], "\n")
	return outcomeSubmit
}

// vertical moves to the line above (-1) or below (1), and from the outer lines to
// the statement before or after in the history.
func (e *editing) vertical(by int) {
	if !e.browsing && e.line(by) {
		return
	}
	step := e.nav.Older
	if by > 0 {
		step = e.nav.Newer
	}
	if b, changed := step(e.buf); changed {
		e.buf, e.browsing = b, true
	}
}

// line moves to the line above or below and reports whether there is one.
func (e *editing) line(by int) bool {
	text, at := []rune(e.buf.Text()), cursorOf(e.buf)
	start := lineStart(text, at)
	column := at - start
	switch {
	case by < 0 && start == 0:
		return false
	case by < 0:
		start = lineStart(text, start-1)
	default:
		end := lineEnd(text, at)
		if end == len(text) {
			return false
		}
		start = end + 1
	}
	moveTo(e.buf, min(start+column, lineEnd(text, start)))
	return true
}

// bindings are the keys that only move the cursor or cut.
var bindings = []prompt.KeyBind{
	{Key: prompt.Left, Fn: func(b *prompt.Buffer) { moveTo(b, cursorOf(b)-1) }},
	{Key: prompt.ControlB, Fn: func(b *prompt.Buffer) { moveTo(b, cursorOf(b)-1) }},
	{Key: prompt.Right, Fn: func(b *prompt.Buffer) { moveTo(b, cursorOf(b)+1) }},
	{Key: prompt.ControlF, Fn: func(b *prompt.Buffer) { moveTo(b, cursorOf(b)+1) }},
	{Key: prompt.Home, Fn: toLineStart},
	{Key: prompt.ControlA, Fn: toLineStart},
	{Key: prompt.End, Fn: toLineEnd},
	{Key: prompt.ControlE, Fn: toLineEnd},
	{Key: prompt.ControlLeft, Fn: func(b *prompt.Buffer) { moveTo(b, wordLeft([]rune(b.Text()), cursorOf(b))) }},
	{Key: prompt.ControlRight, Fn: func(b *prompt.Buffer) { moveTo(b, wordRight([]rune(b.Text()), cursorOf(b))) }},
	{Key: prompt.Backspace, Fn: prompt.DeleteBeforeChar},
	{Key: prompt.ControlH, Fn: prompt.DeleteBeforeChar},
	{Key: prompt.Delete, Fn: prompt.DeleteChar},
	{Key: prompt.ControlDelete, Fn: func(b *prompt.Buffer) {
		b.Delete(wordRight([]rune(b.Text()), cursorOf(b)) - cursorOf(b))
	}},
	{Key: prompt.ControlW, Fn: func(b *prompt.Buffer) {
		b.DeleteBeforeCursor(len([]rune(b.Document().GetWordBeforeCursorWithSpace())))
	}},
	{Key: prompt.ControlK, Fn: func(b *prompt.Buffer) {
		b.Delete(max(lineEnd([]rune(b.Text()), cursorOf(b))-cursorOf(b), 1))
	}},
	{Key: prompt.ControlU, Fn: func(b *prompt.Buffer) {
		b.DeleteBeforeCursor(max(cursorOf(b)-lineStart([]rune(b.Text()), cursorOf(b)), 1))
	}},
}

// kills are the keys whose cut text Ctrl+Y inserts.
var kills = map[prompt.Key]bool{
	prompt.ControlDelete: true, prompt.ControlW: true, prompt.ControlK: true, prompt.ControlU: true,
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
