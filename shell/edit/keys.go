package edit

import (
	"bytes"
	"unicode/utf8"

	prompt "github.com/c-bata/go-prompt"
)

// The marks around a pasted text, and what turns them on and off.
const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	pasteOn    = "\x1b[?2004h"
	pasteOff   = "\x1b[?2004l"
)

// nextStroke returns the first stroke of what a terminal sent: a control
// character, an escape sequence, a run of printable text, or a whole paste with
// its marks. It is empty while b may be the beginning of a longer one; final says
// that nothing will follow soon, so that an escape character is the key Esc. A
// paste always waits for its end.
func nextStroke(b []byte, final bool) []byte {
	switch {
	case len(b) == 0:
		return nil
	case b[0] == 0x1b:
		return escapeStroke(b, final)
	case b[0] < ' ' || b[0] == 0x7f:
		return b[:1]
	}
	end := bytes.IndexFunc(b, func(r rune) bool { return r < ' ' || r == 0x7f })
	if end < 0 {
		end = len(b)
		if !final {
			end = wholeRunes(b)
		}
	}
	return b[:end]
}

// wholeRunes returns the length of b without a rune that has only begun.
func wholeRunes(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		if at := len(b) - back; utf8.RuneStart(b[at]) {
			if !utf8.FullRune(b[at:]) {
				return at
			}
			break
		}
	}
	return len(b)
}

// escapeStroke is nextStroke for what begins with an escape character.
func escapeStroke(b []byte, final bool) []byte {
	if bytes.HasPrefix(b, []byte(pasteBegin)) {
		if i := bytes.Index(b, []byte(pasteEnd)); i >= 0 {
			return b[:i+len(pasteEnd)]
		}
		return nil
	}
	n := sequenceLength(b)
	switch {
	case n > 0 && n <= len(b):
		return b[:n]
	case final:
		return b[:1]
	}
	return nil
}

// sequenceLength returns the length of the escape sequence at the begin of b, 0
// if it is not complete.
func sequenceLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '\b':
		return 2 // Alt and Backspace.
	case 'O':
		if len(b) < 3 {
			return 0
		}
		return 3
	case '[':
		for i := 2; i < len(b); i++ {
			if i == 2 && b[i] == '[' {
				continue // A function key of the Linux console: ESC [ [ A.
			}
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
		}
		return 0
	}
	if b[1] < ' ' {
		return 1 // Esc, and then another key.
	}
	if !utf8.FullRune(b[1:]) {
		return 0
	}
	_, n := utf8.DecodeRune(b[1:]) // Alt and a key.
	return 1 + n
}

// unescaped takes control characters out of a pasted text but for tabs and line
// ends, which become \n.
func unescaped(paste []byte) string {
	text := bytes.TrimSuffix(bytes.TrimPrefix(paste, []byte(pasteBegin)), []byte(pasteEnd))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text))
}

// sequences are those that go-prompt's table lacks or takes for another key.
var sequences = map[string]prompt.Key{
	"\x1bOH": prompt.Home, "\x1bOF": prompt.End, "\x1b[F": prompt.End,
	"\x1b[1;3C": prompt.ControlRight, "\x1b[1;3D": prompt.ControlLeft,
	"\x1bb": prompt.ControlLeft, "\x1bf": prompt.ControlRight,
	"\x1bB": prompt.ControlLeft, "\x1bF": prompt.ControlRight,
	"\x1bd": prompt.ControlDelete, "\x1b[3;5~": prompt.ControlDelete,
	"\x1b\x7f": prompt.ControlW, "\x1b\x08": prompt.ControlW,
	"\n": prompt.Enter, "\r": prompt.Enter,
}

// keyOf returns the key of a stroke, NotDefined for text and for what is unknown.
func keyOf(stroke []byte) prompt.Key {
	if k, ok := sequences[string(stroke)]; ok {
		return k
	}
	return prompt.GetKey(stroke)
}

// IsText reports whether a stroke is text to insert.
func IsText(stroke []byte) bool { return len(stroke) > 0 && stroke[0] >= ' ' && stroke[0] != 0x7f }

// IsEnter reports whether a stroke is the key Enter.
func IsEnter(stroke []byte) bool { return keyOf(stroke) == prompt.Enter }
