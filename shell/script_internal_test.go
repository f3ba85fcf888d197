package shell

import "testing"

// TestReadyPart checks what Enter submits of a text at the prompt.
func TestReadyPart(t *testing.T) {
	for _, c := range []struct{ ready, rest string }{
		{"", ""},
		{"a;", ""},
		{"exit", ""},
		{`\dt`, ""},
		{"a; b;", ""},
		{"a; ", "b"},
		{"", "a 'x;"},
		{"", "a /* x;"},
		{"", "a\nexit"}, // A word in a statement is no command.
		{"\\dt\na;\nexit\n", ""},
		{"a\nexit\n;\n", ""},
		{`a \gx`, ""},
	} {
		if got := readyPart(c.ready + c.rest); got != len(c.ready) {
			t.Errorf("%q: ready up to %d, want %q", c.ready+c.rest, got, c.ready)
		}
	}
}
