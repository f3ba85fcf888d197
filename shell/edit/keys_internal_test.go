package edit

import (
	"strings"
	"testing"

	prompt "github.com/c-bata/go-prompt"
	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell/complete"
)

func TestNextStroke(t *testing.T) {
	for _, c := range []struct {
		name, in string
		final    bool
		want     string
	}{
		{"nothing", "", true, ""},
		{"text", "SELECT 1\r", false, "SELECT 1"},
		{"control", "\rSELECT", false, "\r"},
		{"half a character", "a\xe4\xbd", false, "a"},
		{"only half a character", "\xe4\xbd", false, ""},
		{"half a character at the end", "\xe4\xbd", true, "\xe4\xbd"},
		{"arrow", "\x1b[Ax", false, "\x1b[A"},
		{"half an arrow", "\x1b[", false, ""},
		{"Esc and a bracket", "\x1b[", true, "\x1b"},
		{"Esc alone", "\x1b", true, "\x1b"},
		{"perhaps Esc", "\x1b", false, ""},
		{"Esc twice", "\x1b\x1b[A", false, "\x1b"},
		{"Esc and Ctrl+C", "\x1b\x03", false, "\x1b"},
		{"Alt", "\x1bbx", false, "\x1bb"},
		{"Alt and Backspace", "\x1b\x08", false, "\x1b\x08"},
		{"Alt and a wide character", "\x1b你x", false, "\x1b你"},
		{"application mode", "\x1bOHx", false, "\x1bOH"},
		{"parameters", "\x1b[1;5Cx", false, "\x1b[1;5C"},
		{"console", "\x1b[[Ax", false, "\x1b[[A"},
		{"paste", "\x1b[200~a\r\x1b[A\x1b[201~x", false, "\x1b[200~a\r\x1b[A\x1b[201~"},
		{"paste without end", "\x1b[200~a\rb", true, ""},
		{"text before a paste", "a\x1b[200~b", false, "a"},
	} {
		if got := string(nextStroke([]byte(c.in), c.final)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnescaped(t *testing.T) {
	in := pasteBegin + "a\r\nb\rc\td\x1b[31m\x00\x7f\xff你" + pasteEnd
	if got, want := unescaped([]byte(in)), "a\nb\nc\td[31m\uFFFD你"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzNextStroke checks that every input is cut into strokes without losing a
// byte.
func FuzzNextStroke(f *testing.F) {
	for _, s := range []string{"SELECT 1;\r", "\x1b[200~a\x1b[201~", "\x1b[1;5C", "\xe4\xbd\xa0", "\x1b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		rest := []byte(in)
		for len(rest) > 0 {
			s := nextStroke(rest, true)
			if len(s) == 0 {
				if len(rest) < len(pasteBegin) || string(rest[:len(pasteBegin)]) != pasteBegin {
					t.Fatalf("no stroke in %q", rest)
				}
				return // A paste waits for its end.
			}
			rest = rest[len(s):]
		}
	})
}

// edited feeds strokes and returns the text with | for the cursor.
func edited(e *editing, strokes ...string) string {
	for _, s := range strokes {
		e.feed([]byte(s))
	}
	r, at := []rune(e.buf.Text()), cursorOf(e.buf)
	return string(r[:at]) + "|" + string(r[at:])
}

func noSuggestions(string, int) complete.Suggestions { return complete.Suggestions{} }

func TestEditing(t *testing.T) {
	const up, down, left = "\x1b[A", "\x1b[B", "\x1b[D"
	past := []string{"one;", "two\nlines;", "three;"}
	for _, c := range []struct {
		name    string
		strokes []string
		want    string
	}{
		{"text", []string{"a", "b"}, "ab|"},
		{"enter in a statement", []string{"a", "\r", "b"}, "a\nb|"},
		{"left over a line end", []string{"a", "\r", left, "b"}, "ab|\n"},
		{"up in the text", []string{"abc", "\r", "d", up}, "a|bc\nd"},
		{"up to a shorter line", []string{"a", "\r", "bcd", up}, "a|\nbcd"},
		{"down in the text", []string{"a", "\r", "bcd", up, down}, "a\nb|cd"},
		{"home and end of a line", []string{"ab", "\r", "cd", up, "\x01", "x", "\x05", "y"}, "xaby|\ncd"},
		{"Ctrl+K to the end of the line", []string{"ab", "\r", "cd", up, "\x01", "\x0b"}, "|\ncd"},
		{"Ctrl+K of a line end", []string{"ab", "\r", "cd", up, "\x05", "\x0b"}, "ab|cd"},
		{"Ctrl+U to the begin of the line", []string{"ab", "\r", "cd", "\x15"}, "ab\n|"},
		{"Ctrl+Y", []string{"ab cd", "\x17", "\x01", "\x19", "\x19"}, "cdcd|ab "},
		{"Alt+D", []string{"你好 cd", "\x01", "\x1bd"}, "| cd"},
		{"history", []string{up}, "three;|"},
		{"history, two lines, one more", []string{up, up, up}, "one;|"},
		{"history and back", []string{"x", up, up, down, down}, "x|"},
		{"history and over its begin", []string{up, up, up, up, up}, "one;|"},
		{"an edited entry keeps the arrows in its lines", []string{up, up, "x", up}, "two|\nlines;x"},
		{"search", []string{"\x12", "wo"}, "|"},
		{"search and take", []string{"\x12", "wo", "\x1b"}, "t|wo\nlines;"},
		{"search and go on editing", []string{"\x12", "wo", "\x05", "x"}, "twox|\nlines;"},
		{"search without a match keeps the text", []string{"ab", "\x12", "nothing", "\x1b"}, "ab|"},
		{"search given up", []string{"ab", "\x12", "wo", "\x07"}, "ab|"},
		{"paste without line end", []string{"a", pasteBegin + "b\tc" + pasteEnd}, "ab\tc|"},
		{"paste of an incomplete statement", []string{pasteBegin + "a\nb" + pasteEnd}, "a\nb|"},
	} {
		e := newEditing(past, ready, noSuggestions)
		e.begin()
		if got := edited(e, c.strokes...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// ready lets statements be run that end in a semicolon, and commands.
func ready(text string) int {
	if text == "" || strings.HasPrefix(text, `\`) || strings.HasSuffix(strings.TrimSpace(text), ";") {
		return len(text)
	}
	return strings.LastIndex(text, ";") + 1
}

func TestSubmit(t *testing.T) {
	for _, c := range []struct {
		name     string
		strokes  []string
		outcome  outcome
		text     string
		leftOver string
	}{
		{"statement", []string{"a;", "\r"}, outcomeSubmit, "a;", ""},
		{"nothing", []string{"\r"}, outcomeSubmit, "", ""},
		{"incomplete", []string{"a", "\r"}, outcomeNone, "a\n", ""},
		{"command", []string{`\dt`, "\r"}, outcomeSubmit, `\dt`, ""},
		{"in the middle of a line", []string{"ab;", "\x01", "\r"}, outcomeSubmit, "ab;", ""},
		{"paste", []string{pasteBegin + "a;\nb;\nc" + pasteEnd}, outcomeSubmit, "a;\nb;", "c"},
		{"paste that ends a statement", []string{"a", pasteBegin + ";\nb;\n" + pasteEnd}, outcomeSubmit, "a;\nb;", ""},
		{"paste into a line", []string{"x;", "\x01", pasteBegin + "a;\nb" + pasteEnd}, outcomeSubmit, "a;", "bx;"},
		{"Ctrl+C", []string{"a", "\x03"}, outcomeInterrupt, "a", ""},
		{"Ctrl+D", []string{"\x04"}, outcomeEnd, "", ""},
		{"Ctrl+D in a text", []string{"ab", "\x01", "\x04"}, outcomeNone, "b", ""},
	} {
		e := newEditing(nil, ready, noSuggestions)
		e.begin()
		var last outcome
		for _, s := range c.strokes {
			last = e.feed([]byte(s))
		}
		if last != c.outcome || e.buf.Text() != c.text || e.rest != c.leftOver {
			t.Errorf("%s: outcome %d, text %q, left over %q", c.name, last, e.buf.Text(), e.rest)
		}
	}
}

func TestMenu(t *testing.T) {
	suggest := func(text string, at int) complete.Suggestions {
		if text[:at] == "" {
			return complete.Suggestions{Items: []complete.Suggestion{{Text: "SELECT", Tier: 0}, {Text: "SHOW", Tier: 0}}}
		}
		start := at
		for start > 0 && text[start-1] != ' ' {
			start--
		}
		s := complete.Suggestions{Start: start}
		for _, i := range []complete.Suggestion{{Text: "content", Tier: 0},
			{Text: "contact", Tier: 0}, {Text: "unique", Tier: 0},
			{Text: "union", Tier: 1}, {Text: "contains(", Tier: 1}} {
			if word := text[start:at]; len(i.Text) >= len(word) && strings.EqualFold(i.Text[:len(word)], word) {
				s.Items = append(s.Items, i)
			}
		}
		return s
	}
	const tab, backTab = "\t", "\x1b[Z"
	for _, c := range []struct {
		name    string
		strokes []string
		want    string
		menu    int
	}{
		{"one match", []string{"a CONTE", tab}, "a content|", 0},
		{"what several have in common", []string{"co", tab}, "cont|", 3},
		{"then one after the other", []string{"co", tab, tab}, "content|", 3},
		{"the next one", []string{"co", tab, tab, tab}, "contact|", 3},
		{"around", []string{"co", tab, tab, tab, tab, tab}, "cont|", 3},
		{"backwards", []string{"co", tab, backTab}, "contains(|", 3},
		{"the likely one", []string{"uni", tab}, "unique|", 2},
		{"and then the other", []string{"uni", tab, tab}, "union|", 2},
		{"Esc undoes", []string{"co", tab, tab, "\x1b"}, "cont|", 0},
		{"typing takes it", []string{"co", tab, tab, " "}, "content |", 0},
		{"nothing matches", []string{"x", tab}, "x|", 0},
		{"empty line", []string{tab}, "S|", 2},
		{"before other text", []string{"conte x", "\x1b[D", "\x1b[D", tab}, "content| x", 0},
	} {
		e := newEditing(nil, ready, suggest)
		e.begin()
		if got := edited(e, c.strokes...); got != c.want || len(e.menu.items) != c.menu {
			t.Errorf("%s: %q with a menu of %d, want %q and %d", c.name, got, len(e.menu.items), c.want, c.menu)
		}
	}
}

// sampleCompleter completes from a server of one table.
func sampleCompleter() *complete.Completer {
	names := complete.NewNames(nil, [][]string{{"app", "messages"}}, [][]string{
		{"app", "messages", "id", "BIGINT"}, {"app", "messages", "content", "TEXT"}, {"app", "messages", "author", "TEXT"},
	})
	return &complete.Completer{Names: func() *complete.Names { return names }, Namespace: func() string { return "app" },
		Pending: func(string) bool { return false }}
}

// TestMenuWhileTyping: it shows from two characters on, and not for a word that is
// complete.
func TestMenuWhileTyping(t *testing.T) {
	e := newEditing(nil, ready, sampleCompleter().Complete)
	e.begin()
	for _, c := range []struct {
		typed string
		menu  bool
	}{{"S", false}, {"E", true}, {"LEC", true}, {"T", false}, {" ", false}, {"aut", true}, {"hor", false}, {"x", false}} {
		e.feed([]byte(c.typed))
		e.typing()
		if e.menu.open() != c.menu {
			t.Errorf("after %q: the menu is %v", e.buf.Text(), e.menu.items)
		}
	}
}

func TestLayout(t *testing.T) {
	menu := []prompt.Suggest{{Text: "one", Description: "x"}, {Text: "two"}, {Text: "three"}}
	for _, c := range []struct {
		name          string
		v             view
		columns, rows int
		want          []string
		row, col      int
	}{
		{"empty", view{prompt: "> "}, 10, 5, []string{"> "}, 0, 2},
		{"cursor inside", view{prompt: "> ", text: []rune("abc"), cursor: 1}, 10, 5, []string{"> abc"}, 0, 3},
		{"full row", view{prompt: "> ", text: []rune("12345678"), cursor: 8}, 10, 5, []string{"> 12345678", ""}, 1, 0},
		{"wrapped", view{prompt: "> ", text: []rune("123456789"), cursor: 8}, 10, 5, []string{"> 12345678", "9"}, 1, 0},
		{"wide", view{prompt: "> ", text: []rune("1234567你"), cursor: 7}, 10, 5, []string{"> 1234567", "你"}, 1, 0},
		{"two lines", view{prompt: "> ", next: "- ", text: []rune("a\nb"), cursor: 3}, 10, 5, []string{"> a", "- b"}, 1, 3},
		{"end of a line", view{prompt: "> ", next: "- ", text: []rune("a\nb"), cursor: 1}, 10, 5,
			[]string{"> a", "- b"}, 0, 3},
		{"control character", view{prompt: "> ", text: []rune("\x1b"), cursor: 1}, 10, 5, []string{`> \x1b`}, 0, 6},
		{"menu", view{prompt: "> ", menu: menu, selected: 1, menuRows: 9}, 20, 5,
			[]string{"> ", "  one    x", "> two  ", "  three"}, 0, 2},
		{"menu cut", view{prompt: "> ", menu: menu, selected: 2, menuRows: 2}, 20, 5,
			[]string{"> ", "> three", "   (1 of 3)"}, 0, 2},
		{"menu without room", view{prompt: "> ", menu: menu, selected: -1, menuRows: 9}, 20, 2, []string{"> "}, 0, 2},
		{
			"more lines than rows", view{prompt: "> ", next: "- ", text: []rune("1\n2\n3\n4"), cursor: 2}, 10, 2,
			[]string{"> 1", "- 2"}, 1, 2,
		},
	} {
		f := layout(c.v, c.columns, c.rows)
		if d := cmp.Diff(c.want, f.rows); d != "" || f.row != c.row || f.col != c.col {
			t.Errorf("%s: cursor at %d, %d, want %d, %d; %s", c.name, f.row, f.col, c.row, c.col, d)
		}
	}
}

// FuzzEditing types anything and lays it out: nothing panics, the cursor stays in
// the text and in the frame.
func FuzzEditing(f *testing.F) {
	f.Add("SELECT con\t\t\x1b[A\x12le\r", uint8(20), uint8(5))
	f.Add("a\r你好\x1b[A\x05\x0b\x19\x1bd\x17\x15", uint8(8), uint8(2))
	f.Add(pasteBegin+"a;\nb\x1b[D"+pasteEnd+"\x1b[D\x04\x7f", uint8(3), uint8(1))
	c := sampleCompleter()
	f.Fuzz(func(t *testing.T, in string, columns, rows uint8) {
		e := newEditing([]string{"one;", "SELECT\n'你';"}, ready, c.Complete)
		e.begin()
		for rest := []byte(in); len(rest) > 0; {
			s := nextStroke(rest, true)
			if len(s) == 0 {
				return // A paste waits for its end.
			}
			rest = rest[len(s):]
			if e.feed(s) == outcomeSubmit {
				e.begin()
			}
			e.typing()
			text, at := []rune(e.buf.Text()), cursorOf(e.buf)
			if at < 0 || at > len(text) {
				t.Fatalf("cursor at %d of %d", at, len(text))
			}
			v := view{
				prompt: "> ", next: "- ", text: text, cursor: at,
				menu: e.menu.items, selected: e.menu.selected(), menuRows: menuAfterTab,
			}
			frame := layout(v, int(columns), int(rows))
			if len(frame.rows) > max(int(rows), 1) || frame.row < 0 || frame.row >= len(frame.rows) ||
				frame.col > max(int(columns), 8) {
				t.Fatalf("cursor at %d, %d of %d rows on %d by %d", frame.row, frame.col, len(frame.rows), columns, rows)
			}
		}
	})
}
