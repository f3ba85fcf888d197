package shell_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kalamlake/kalam/shell"
)

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a script.sql")
	writeFile(t, script, "SELECT 1;\nINSERT INTO t;\n")
	for _, c := range []struct {
		name  string
		lines []string
		sent  []string
		out   []string // What standard output and standard error hold.
		said  []string
	}{
		{"again", []string{"SELECT 1;", `\g`}, []string{"SELECT 1", "SELECT 1"}, nil, nil},
		{"again, vertical", []string{"SELECT 1;", `\gx`, "SELECT 1;"}, []string{"SELECT 1", "SELECT 1", "SELECT 1"},
			[]string{"-[ 1 ]-\nn | 1\n", "Took: 1.234 ms\n┌───┐"}, nil},
		{"nothing to run again", []string{`\g`}, nil, nil, []string{"ERROR: nothing was run yet"}},
		{"behind a statement", []string{"SELECT", `1 \g`}, []string{"SELECT\n1"}, []string{"┌───┐"}, nil},
		{"behind a statement, vertical", []string{`SELECT 1 \gx`}, []string{"SELECT 1"}, []string{"-[ 1 ]-"}, nil},
		{"inside a string", []string{`SELECT '\gx`, "';"}, []string{"SELECT '\\gx\n'"}, nil, nil},
		{"watch", []string{"SELECT 1;", `\watch i=0.1 c=3`}, slices.Repeat([]string{"SELECT 1"}, 4), nil,
			[]string{"(every 0.1s)"}},
		{"watch too often", []string{"SELECT 1;", `\watch 0`}, []string{"SELECT 1"}, nil,
			[]string{`ERROR: \watch takes from 0.1`}},
		{"as", []string{`\as 'bob' INSERT INTO t VALUES (1);`}, []string{"EXECUTE AS USER 'bob' (INSERT INTO t VALUES (1))"},
			[]string{"Inserted 1 row(s)"}, nil},
		{"as nobody", []string{`\as bob`}, nil, nil, []string{`ERROR: \as needs a user and a statement`}},
		{"include", []string{`\i ` + script}, []string{"SELECT 1", "INSERT INTO t"}, []string{"Statement 1:"}, nil},
		{"include in quotes", []string{`\i '` + script + `'`}, []string{"SELECT 1", "INSERT INTO t"}, nil, nil},
		{"include nothing", []string{`\i ` + dir + "/none"}, nil, nil, []string{"ERROR: File error: open "}},
		{"variables", []string{`\set id 7`, `\set name 'o''neil'`, `SELECT :id, :'name', :"name", x::int, 'a:id', :other;`},
			[]string{`SELECT 7, 'o''neil', "o'neil", x::int, 'a:id', :other`}, nil, nil},
		{"list and forget", []string{`\set a 1`, `\set`, `\unset a`, `\unset a`, "SELECT :a;"}, []string{"SELECT :a"}, nil,
			[]string{"a = '1'\n", `ERROR: there is no variable "a"`}},
		{"echo", []string{`\set who world`, `\echo 'hello, :who'`, `\echo hello, :who`}, nil,
			[]string{"hello, :who\nhello, world\n"}, nil},
		{"shell", []string{`\! exit 3`, `\!exit 4`}, nil, nil, []string{"ERROR: exit code 3", "ERROR: exit code 4"}},
		{"null", []string{`\pset null ∅`, "SELECT * FROM types;"},
			[]string{"SELECT * FROM types"}, []string{"│     ∅ │"}, nil},
		{"bytes", []string{`\pset bytes hex`, `\pset`}, nil, nil, []string{"BYTES are shown as hex.", "bytes     hex"}},
		{"times", []string{`\pset times unix-sec`, "SELECT * FROM types;"}, []string{"SELECT * FROM types"},
			[]string{"1767323045 "}, nil},
		{"wrong option", []string{`\pset border 3`}, nil, nil,
			[]string{`ERROR: \pset takes format, null, max_rows, bytes (text or hex) or times`}},
		{"flush", []string{`\flush`}, []string{"STORAGE FLUSH ALL", "?"}, []string{"Storage flush started"},
			[]string{"FL-1 completed: Flushed app.t\n", "FL-2 failed: no space\n", "ERROR: 1 job failed"}},
		{"functions", []string{`\df json_g`}, nil, []string{"json_get  json_get_bool"}, nil},
		{"views", []string{`\dv app`}, []string{"SELECT table_schema AS namespace, table_name AS \"view\" FROM information_schema.tables" +
			" WHERE table_type = 'VIEW' AND table_schema = 'app' ORDER BY 1, 2"}, nil, nil},
		{"explain", []string{`\explain SELECT 7;`}, []string{"EXPLAIN SELECT 7"}, nil, nil},
		{"explain nothing", []string{`\explain`}, nil, nil, []string{`ERROR: \explain needs a query`}},
		{"nearest", []string{`\conect`}, nil, nil, []string{`Unknown command: \conect. Did you mean \connect? Type \help`}},
		{"config", []string{`\config`}, nil, nil, []string{"User         alice\n", "Credentials  password\n",
			"Format       table\n"}},
		{"info", []string{`\info`}, nil, nil, []string{"Version      1.2.3 (API v1)\n", "Status       healthy, up 42s\n"}},
		{"pause without", []string{`\pause`, `\continue`}, nil, nil,
			[]string{"no live query is shown", "no live query is paused"}},
		{"advice", []string{"ADVISE bdoy;"}, []string{"ADVISE bdoy"}, nil,
			[]string{"ERROR: column bdoy does not exist\nLINE 1: ADVISE bdoy\n               ^\nDid you mean body or baby?\n" +
				"HINT: \\d notes lists the columns\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.name, "shell") {
				return
			}
			sent, out, said := typed(t, c.lines...)
			if len(sent) == len(c.sent) && len(c.sent) > 0 && c.sent[len(c.sent)-1] == "?" {
				sent[len(sent)-1] = "?"
			}
			if d := cmp.Diff(c.sent, sent, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("sent (-want +got):\n%s", d)
			}
			for _, want := range c.out {
				if !strings.Contains(out, want) {
					t.Errorf("standard output without %q:\n%s", want, out)
				}
			}
			for _, want := range c.said {
				if !strings.Contains(said, want) {
					t.Errorf("standard error without %q:\n%s", want, said)
				}
			}
		})
	}
}

func TestOutputToAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	_, out, said := typed(t, `\format csv`, `\o `+path, "SELECT 1;", `\o`, "SELECT none;")
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "n\n1\n" || out != "id,body\n" || !strings.Contains(said, "Results go to "+path) {
		t.Errorf("file %q, standard output %q, %v", text, out, err)
	}
	// The end of the shell closes the file too.
	typed(t, `\o `+path, "SELECT 1;")
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "(1 row)") {
		t.Errorf("file %q, %v", text, err)
	}
}

func TestConnect(t *testing.T) {
	f, g := newFake(t), newFake(t)
	var out, errOut bytes.Buffer
	e := &typist{lines: []string{
		"USE chat;", `\connect http://127.0.0.1:1`, "SELECT 1;", `\c ` + g.URL + ` --token a.b.c`, "SELECT 2;", `\c`,
		`\c -x`, "BEGIN;", `\c ` + f.URL, "ROLLBACK;",
	}}
	if code := shell.Interact(within(t), base(f), e, nil, 0, &out, &errOut); code != 0 {
		t.Fatalf("exit %d: %s", code, errOut.String())
	}
	for _, want := range []string{
		"ERROR: Connection failed: cannot reach http://127.0.0.1:1", "; still connected to " + f.URL,
		"Connected to " + g.URL + " (version 1.2.3) as alice.", `ERROR: \connect takes`, "a transaction is open",
	} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("standard error without %q:\n%s", want, errOut.String())
		}
	}
	if d := cmp.Diff([]string{"SELECT 1", "USE chat", "chat: SELECT 1"}, f.sent()); d != "" {
		t.Errorf("the first server (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"SELECT 1", "SELECT 2"}, g.sent()); d != "" {
		t.Errorf("the second server (-want +got):\n%s", d)
	}
	if h := g.lastHeader(); h.Get("Authorization") != "Bearer a.b.c" {
		t.Errorf("sent to the second server: %q", h.Get("Authorization"))
	}
}

// TestCredentialsStayWithTheirServer: \connect sends them to no other.
func TestCredentialsStayWithTheirServer(t *testing.T) {
	f, g := newFake(t), newFake(t)
	c := base(f)
	c.Password, c.Token = nil, "a.b.c"
	var out, errOut bytes.Buffer
	shell.Interact(within(t), c, &typist{lines: []string{`\c ` + g.URL, `\c ` + f.URL}}, nil, 0, &out, &errOut)
	if h := g.lastHeader(); h.Get("Authorization") != "" {
		t.Errorf("sent to the second server: %q", h.Get("Authorization"))
	}
}

func TestReadOnly(t *testing.T) {
	for sql, allowed := range map[string]bool{
		"SELECT 1": true, "(SELECT 1)": true, "WITH a AS (SELECT 1) SELECT 2": true, "USE app": true, "SHOW TABLES": true,
		"INSERT INTO t": false, "DROP TABLE t": false, "SELECT 1; DELETE FROM t": false, "STORAGE FLUSH ALL": false,
		"WITH a AS (SELECT 1) INSERT INTO t SELECT 2": false, "EXECUTE AS USER 'bob' (DELETE FROM t)": false,
		"EXPLAIN ANALYZE DELETE FROM t": false, "COPY t TO 'x'": false,
	} {
		f := newFake(t)
		c := base(f)
		c.ReadOnly, c.Command = true, &sql
		code, _, errOut := run(t, c, "")
		refused := strings.Contains(errOut, "is not run: the shell was started with --read-only")
		if refused == allowed || allowed != (len(f.sent()) > 0) || refused && code != 1 {
			t.Errorf("%s: exit %d, %d requests, %s", sql, code, len(f.sent()), errOut)
		}
	}
}

func TestConfirmDestructive(t *testing.T) {
	f := newFake(t)
	c := base(f)
	c.Getenv = environment("HOME", home(t, "[ui]\nconfirm_destructive = true\n"))
	e := &typist{lines: []string{"DELETE FROM t;", "n", "DELETE FROM t;", "",
		"DELETE FROM t; SELECT 1;", "y", "SELECT 2;"}}
	var out, errOut bytes.Buffer
	shell.Interact(within(t), c, e, nil, 0, &out, &errOut)
	if d := cmp.Diff([]string{"SELECT 1", "DELETE FROM t", "SELECT 1", "SELECT 2"}, f.sent()); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
	if !slices.Contains(e.prompts, "Run DELETE FROM t? [y/N] ") || strings.Count(errOut.String(), "Not run.") != 2 {
		t.Errorf("prompts %q, said %s", e.prompts, errOut.String())
	}
}

func TestPages(t *testing.T) {
	f := newFake(t)
	c := base(f)
	c.Getenv = environment("HOME", home(t, "[output]\nmax_rows = 2\n"))
	e := &typist{lines: []string{"SELECT many;", "", "q", "SELECT many;", "", "", "SELECT 1;"}}
	var out, errOut bytes.Buffer
	shell.Interact(within(t), c, e, nil, 40, &out, &errOut)
	box := "┌───┐\n│ n │\n├───┤\n│ 1 │\n│ 2 │\n│ 3 │\n│ 4 │\n"
	want := box + "└───┘\n5 rows (4 shown)\nTook: 1.234 ms\n" + box + "│ 5 │\n└───┘\n(5 rows)\nTook: 1.234 ms\n"
	if got := out.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s", got)
	}
	if n := slices.Index(e.prompts, "Press Enter for more, q to stop: "); n < 0 {
		t.Errorf("prompts %q", e.prompts)
	}
}

func TestVariablesAndParameters(t *testing.T) {
	f := newFake(t)
	c := base(f)
	sql := "SELECT :'who', $1, $2, $3, $4"
	c.Command, c.Variables = &sql, []string{"who=ann"}
	c.Params = []string{"7", "text", "null", `{"a":1}`}
	if code, _, errOut := run(t, c, ""); code != 0 {
		t.Fatal(errOut)
	}
	f.mu.Lock()
	got := f.requests[0]
	f.mu.Unlock()
	var params []string
	for _, p := range got.Params {
		params = append(params, string(p))
	}
	if got.SQL != "SELECT 'ann', $1, $2, $3, $4" || strings.Join(params, " ") != `7 "text" null "{\"a\":1}"` {
		t.Errorf("sent %s with %s", got.SQL, params)
	}
}

func TestQuiet(t *testing.T) {
	f := newFake(t)
	c := base(f)
	c.Quiet, c.Format = true, "csv"
	code, out, errOut := run(t, c, "SELECT 1;\nSELECT 1;\n")
	if code != 0 || out != "n\n1\nn\n1\n" || errOut != "" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, errOut)
	}
}

// TestExpandedIfWide: \x auto shows a line per cell only where columns do not fit.
func TestExpandedIfWide(t *testing.T) {
	f := newFake(t)
	var out, errOut bytes.Buffer
	e := &typist{lines: []string{`\x auto`, "SELECT * FROM types;", "SELECT 1;", `\x auto`, "SELECT * FROM types;"}}
	shell.Interact(within(t), base(f), e, nil, 40, &out, &errOut)
	got := out.String()
	if strings.Count(got, "-[ 1 ]-") != 1 || !strings.Contains(got, "│ n │") ||
		strings.Count(got, "columns; \\x shows all") != 1 {
		t.Errorf("got\n%s", got)
	}
}
