package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// buildDir holds programs that tests build.
var buildDir string

func TestMain(m *testing.M) {
	if os.Getenv("KALAM_TEST_SHELL") != "" {
		main()
		return
	}
	dir, err := os.MkdirTemp("", "kalam-test-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// server answers every statement with one row.
func server(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/login") {
			fmt.Fprint(w, `{"access_token":"a.b.c"}`)
			return
		}
		fmt.Fprint(w,
			`{"status":"success","results":[{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[[7]],"row_count":1,"as_user":"a"}],"took":1}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRun(t *testing.T) {
	url := server(t)
	file := filepath.Join(t.TempDir(), "s.sql")
	if err := os.WriteFile(file, []byte("SELECT 7;\nSELECT 7;"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(url, "http://")
	host, port, _ := strings.Cut(address, ":")
	for _, c := range []struct {
		name        string
		args        []string
		in          string
		code        int
		out, errOut string // Prefixes; "" is nothing.
	}{
		{"command", []string{"--url", url, "-u", "a", "--password", "b", "--json", "-c", "SELECT 7"}, "", 0, "[{\"n\":7}]\n",
			""},
		{"host and port", []string{"-h", host, "-p", port, "--csv", "-c", "SELECT 7"}, "", 0, "n\n7\n", ""},
		{"host with port", []string{"--host", address, "--format", "csv", "--command=SELECT 7"}, "", 0, "n\n7\n", ""},
		{"file", []string{"--url", url, "--csv", "--file", file}, "", 0, "n\n7\nn\n7\n",
			"Statement 1:\nStatement 2:\nCompleted 2 statements in "},
		{"standard input", []string{"--url", url, "--csv"}, "SELECT 7;", 0, "n\n7\n",
			"Statement 1:\nCompleted 1 statements in "},
		{"colour", []string{"--url", url, "--color", "-c", "SELECT 7"}, "", 0, "┌───┐\n│ \x1b[1mn\x1b[0m │\n", ""},
		{"no colour", []string{"--url", url, "--color=false", "-c", "SELECT 7"}, "", 0, "┌───┐\n│ n │\n", ""},
		{"variable", []string{"--url", url, "--csv", "-v", "n=7", "-c", `\echo :n`}, "", 0, "7\n", ""},
		{"verbose", []string{"--url", url, "--csv", "-v", "-c", "SELECT 7"}, "", 0, "n\n7\n", "Warning: HOME is not set"},
		{"no variable", []string{"--url", url, "--set", "7", "-c", "SELECT 7"}, "", 2, "", "kalam: a variable is name=value"},
		{"parameter without command", []string{"--url", url, "--param", "7"}, "SELECT 7;", 2, "", "kalam: --param needs"},
		{"no settings", []string{"--url", url, "--config", file + "x", "-c", "SELECT 7"}, "", 1, "",
			"ERROR: Configuration error: open "},
		{"version", []string{"--version"}, "", 0, "kalam dev\nCommit: unknown (unknown)\nBuilt: unknown\n", ""},
		{"help", []string{"--help"}, "", 0, "kalam runs SQL from its command line, a file, a pipe or a prompt.\n\nUsage:\n",
			""},
		{"completion", []string{"completion", "bash"}, "", 0, "# bash completion V2 for kalam ", ""},
		{"completion of zsh", []string{"completion", "zsh"}, "", 0, "#compdef kalam\n", ""},
		{"completion of fish", []string{"completion", "fish"}, "", 0, "# fish completion for kalam ", ""},
		{"values of a flag", []string{"__complete", "load", "--on-conflict", ""}, "", 0, "reject\nskip\nupdate\n:4\n",
			"Completion ended with directive: "},
		{"formats", []string{"__complete", "--format", "ma"}, "", 0, "table\nvertical\n", "Completion ended with directive: "},
		{"manual", []string{"man"}, "", 0, ".TH KALAM 1 ", ""},
		{"manual of a command", []string{"man", "load"}, "", 0, ".TH KALAM-LOAD 1 ", ""},
		{"manual of nothing", []string{"man", "nothing"}, "", 2, "", "kalam: "},
		{"no server", []string{"--url", "http://127.0.0.1:1", "-c", "SELECT 1"}, "", 1, "",
			"ERROR: Connection failed: cannot reach http://127.0.0.1:1: "},
		{"unknown flag", []string{"--tenant", "x"}, "", 2, "", "kalam: unknown flag: --tenant\nTry 'kalam --help'"},
		{"argument", []string{"SELECT 1"}, "", 2, "", "kalam: "},
		{"two formats", []string{"--json", "--format", "csv"}, "", 2, "", "kalam: "},
		{"two modes", []string{"-c", "SELECT 1", "-f", file}, "", 2, "", "kalam: "},
		{"bad colour", []string{"--color=red", "-c", "SELECT 1"}, "", 2, "",
			`kalam: --color must be true or false, got "red"`},
		{"bad timeout", []string{"--timeout=-1", "-c", "SELECT 1"}, "", 2, "", "kalam: --timeout must be from 0 to "},
		{"not a number", []string{"--subscription-timeout", "NaN", "-c", "SELECT 1"}, "", 2, "",
			"kalam: --subscription-timeout must be from 0 to "},
		{"empty file", []string{"--file", ""}, "", 2, "", "kalam: --file is empty"},
		{"empty live query", []string{"--subscribe", ""}, "", 2, "", "kalam: --subscribe is empty"},
		{"bad format", []string{"--format", "yaml", "-c", "SELECT 1"}, "", 2, "", `kalam: unknown format "yaml"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			m := Main{Args: c.args, In: strings.NewReader(c.in), Out: &out, Err: &errOut,
				Getenv: func(string) string { return "" }}
			code := m.Run(t.Context())
			if code != c.code || !begins(out.String(), c.out) || !begins(errOut.String(), c.errOut) {
				t.Errorf("exit %d, stdout %q, stderr %q", code, out.String(), errOut.String())
			}
		})
	}
}

// begins reports whether s begins with a prefix that is as empty as s.
func begins(s, prefix string) bool {
	return strings.HasPrefix(s, prefix) && (s == "") == (prefix == "")
}
