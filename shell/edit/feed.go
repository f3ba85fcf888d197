package edit

import (
	"strings"

	prompt "github.com/c-bata/go-prompt"
)

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
