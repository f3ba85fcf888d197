package shell_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell"
)

// typed is what the fake server got of lines typed at the prompt, and what was
// said.
func typed(t *testing.T, lines ...string) (sent []string, out, errOut string) {
	t.Helper()
	f := newFake(t)
	var o, e bytes.Buffer
	if code := shell.Interact(within(t), base(f), &typist{lines: lines}, nil, 0, &o, &e); code != 0 {
		t.Fatalf("exit %d: %s", code, e.String())
	}
	return f.sent()[1:], o.String(), e.String()
}

func TestTransactionIsOneRequest(t *testing.T) {
	const dropped = "The open transaction was dropped: "
	for _, c := range []struct {
		name  string
		lines []string
		sent  []string
		said  string
	}{
		{"commit", []string{"BEGIN;", "INSERT a;", "INSERT INTO t VALUES (2);", "COMMIT;"},
			[]string{"BEGIN;\nINSERT INTO t VALUES (2);\nCOMMIT"}, "Added as statement 2."},
		{"start and end", []string{"start transaction;", "SELECT 1;", "end;"},
			[]string{"start transaction;\nSELECT 1;\nend"}, ""},
		{"on one line", []string{"BEGIN; SELECT 1;", "SELECT 2; COMMIT; SELECT 3;"},
			[]string{"BEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT", "SELECT 3"}, ""},
		{"complete at once", []string{"BEGIN; SELECT 1; COMMIT;"}, []string{"BEGIN; SELECT 1; COMMIT"}, ""},
		{"rollback", []string{"BEGIN;", "SELECT 1;", "SELECT 2;", "ROLLBACK;", "SELECT 3;"}, []string{"SELECT 3"},
			"Transaction rolled back: 2 statements were dropped, nothing was sent."},
		{"abort", []string{"BEGIN;", "ABORT;"}, nil, "0 statements were dropped"},
		{"left", []string{"BEGIN;", "SELECT 1;"}, nil, dropped + "1 statement was never sent."},
		{"left with a command", []string{"BEGIN;", "SELECT 1;", `\q`}, nil, dropped},
		{"a second BEGIN", []string{"BEGIN;", "BEGIN;", "SELECT 1;", "COMMIT;"}, []string{"BEGIN;\nSELECT 1;\nCOMMIT"},
			"ERROR: a transaction is open already"},
		{"a live query", []string{"BEGIN;", "SUBSCRIBE TO app.t;", "ROLLBACK;"}, nil,
			"ERROR: a live query cannot be part of a transaction"},
		{"commands go on", []string{"BEGIN;", `\use chat`, "ROLLBACK;"}, []string{`USE "chat"`}, ""},
		{"Ctrl+C keeps it", []string{"BEGIN;", "^C", "SELECT 1;", "COMMIT;"}, []string{"BEGIN;\nSELECT 1;\nCOMMIT"},
			"A transaction is open: COMMIT; or ROLLBACK; ends it."},
		{
			"an error says which statement", []string{"BEGIN;", "SELECT 1;", "FROM nowhere;", "COMMIT;"},
			[]string{"BEGIN;\nSELECT 1;\nFROM nowhere;\nCOMMIT"}, "Statement 3 failed: ",
		},
		{"an error drops it", []string{"BEGIN;", "FROM nowhere;", "COMMIT;", "SELECT 1;"},
			[]string{"BEGIN;\nFROM nowhere;\nCOMMIT", "SELECT 1"},
			"Transaction rolled back: none of its 1 statement took effect."},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent, _, said := typed(t, c.lines...)
			if !slices.Equal(c.sent, sent) {
				t.Errorf("sent %q, want %q", sent, c.sent)
			}
			if !strings.Contains(said, c.said) {
				t.Errorf("said %s, want %s", said, c.said)
			}
		})
	}
}

func TestPromptTellsUserNamespaceAndTransaction(t *testing.T) {
	f := newFake(t)
	e := &typist{lines: []string{"USE chat;", "BEGIN;", "SELECT 1", ";", "ROLLBACK;"}}
	var out, errOut bytes.Buffer
	shell.Interact(within(t), base(f), e, nil, 0, &out, &errOut)
	want := []string{"alice@default kalam> ", "alice@chat kalam> ", "alice@chat kalam*> ", "               *-> ",
		"alice@chat kalam*> ", "alice@chat kalam> "}
	if d := cmp.Diff(want, e.prompts); d != "" {
		t.Error(d)
	}
}

func TestWordsWithoutBackslash(t *testing.T) {
	for _, lines := range [][]string{{"exit"}, {"quit;"}, {"EXIT"}, {" quit "}} {
		sent, _, said := typed(t, append(lines, "SELECT 1;")...)
		if len(sent) != 0 || !strings.Contains(said, "Goodbye!") {
			t.Errorf("%q: sent %q, said %s", lines, sent, said)
		}
	}
	for _, word := range []string{"help", "?", "Help;"} {
		sent, _, said := typed(t, word, "SELECT 1;")
		if len(sent) != 1 || !strings.Contains(said, `\quit \q`) {
			t.Errorf("%q: sent %q, said %s", word, sent, said)
		}
	}
	// Inside a statement they are its words, and in a script always.
	if sent, _, _ := typed(t, "SELECT", "exit", "  AS x;"); len(sent) != 1 || sent[0] != "SELECT\nexit\n  AS x" {
		t.Errorf("sent %q", sent)
	}
	f := newFake(t)
	if code, _, _ := run(t, base(f), "exit;"); code != 1 {
		t.Errorf("exit in a script: exit code %d", code)
	}
}
