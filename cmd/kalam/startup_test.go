//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStartFile runs ~/.kalamrc at the start of a prompt: statements and commands, and what
// follows one that fails.
func TestStartFile(t *testing.T) {
	s := startServer(t)
	s.sql(messages)
	home := t.TempDir()
	path := filepath.Join(home, ".kalamrc")
	rc := "-- of ann\nUSE app;\n\\set who 'ann'\nSELECT nothing;\nSELECT content\n  FROM messages WHERE author = :'who';\n\\timing on\n"
	if err := os.WriteFile(path, []byte(rc), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"--url", s.url, "-u", "root", "--password", rootPassword}
	x := startTerminal(t, 80, 40, home, args...)
	x.line("root@app kalam> ")
	all, _ := x.text()
	for _, want := range []string{"hello", "ERROR: ", "Timing is on."} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q on the screen:\n%s", want, all)
		}
	}
	x.typed(keyUp) // What the file runs was not typed, and is not in the history.
	x.line("root@app kalam> ")
	x.typed(`\echo :who` + keyEnter)
	x.shows("\nann\n")
	x.typed(`\q` + keyEnter)
	x.ends()

	x = startTerminal(t, 80, 40, home, append(args, "--no-rc")...)
	x.line(first)
	x.typed(`\q` + keyEnter)
	x.ends()

	if err := os.Chmod(path, 0o666); err != nil { // Anybody could have written it.
		t.Fatal(err)
	}
	x = startTerminal(t, 200, 40, home, args...) // The path fits, however long the name of the folder is.
	x.line(first)
	if all, _ := x.text(); !strings.Contains(strings.Join(strings.Fields(all), " "), "anybody may write it (mode 0666)") {
		t.Errorf("the screen:\n%s", all)
	}
	x.typed(`\q` + keyEnter)
	x.ends()

	// Without a prompt it does not run.
	if got := s.sql("SELECT 1 AS n;"); got != "n\n1\n" {
		t.Errorf("it prints %q", got)
	}
}

// TestListsAtThePrompt has the commands that list what there is.
func TestListsAtThePrompt(t *testing.T) {
	s := startServer(t)
	s.sql(messages + "\nCREATE VIEW app.recent AS SELECT id FROM app.messages;\nCREATE NAMESPACE other;")
	x := s.prompt(t.TempDir())
	for _, c := range []struct{ command, shows string }{
		{`\l`, "other"}, {`\dn`, "other"}, {`\dt`, "messages"}, {`\dt app`, "messages"}, {`\dv`, "recent"}, {`\dv other`, "(0 rows)"},
		{`\du`, "root"}, {`\df upper`, "upper"}, {`\dj`, "job_id"}, {`\jobs`, "job_id"}, {`\d app.messages`, "content"},
		{`\describe app.messages`, "content"}, {`\d`, "messages"}, {`\explain SELECT * FROM app.messages`, "QUERY PLAN"},
		{`\sessions`, "session_id"}, {`\stats`, "metric_name"}, {`\h`, "explain"}, {`\c`, "Connected to "}, {`\use`, "Current namespace: default"},
		{`\unsubscribe`, "no live query is paused"}, {`help`, `\copy TABLE FROM|TO FILE`}, {`?`, "Statements end with"},
		{`\set system_columns on`, "_seq and _deleted in tables: on."}, {`SELECT * FROM app.messages;`, "_seq"},
		{`\set system_columns maybe`, "expected on or off"}, {`\set`, "system_columns = 'on'"},
	} {
		if said := x.run(c.command); !strings.Contains(said, c.shows) {
			t.Errorf("%s: no %q in\n%s", c.command, c.shows, said)
		}
	}
	x.run(`\set system_columns off`)
	if said := x.run(`SELECT * FROM app.messages;`); strings.Contains(said, "_seq") {
		t.Errorf("hidden columns are shown:\n%s", said)
	}
	x.typed("exit" + keyEnter)
	x.ends()
}

// TestScriptsAreAligned has cells of right-to-left and wide scripts, and combining marks: the lines
// of the box are equally wide.
func TestScriptsAreAligned(t *testing.T) {
	s := startServer(t)
	code, out, said := s.kalam(s.url, "--color=false", "-c", "SELECT 'שלום' AS a, 'مرحبا' AS b, E'e\\u0301a\\u0308' AS c, '你好' AS d"+
		" UNION ALL SELECT 'x', 'y', 'z', 'w' ORDER BY a")
	want := "┌──────┬───────┬────┬──────┐\n│ a    │ b     │ c  │ d    │\n├──────┼───────┼────┼──────┤\n" +
		"│ x    │ y     │ z  │ w    │\n│ שלום │ مرحبا │ e\u0301a\u0308 │ 你好 │\n└──────┴───────┴────┴──────┘\n(2 rows)\n"
	if code != 0 || !strings.HasPrefix(out, want) {
		t.Errorf("exit %d\n%s%s\nwant\n%s", code, out, said, want)
	}
}
