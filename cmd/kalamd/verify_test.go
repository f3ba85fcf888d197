package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyCommand (D2) verifies the files of a server while it runs, after it has
// stopped, and with a bit turned over.
func TestVerifyCommand(t *testing.T) {
	p := &process{t: t, dir: t.TempDir()}
	t.Cleanup(p.kill)
	p.start()
	token := p.login("root", testRootPassword)
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)", "INSERT INTO app.t VALUES (1), (2)",
	} {
		p.sql(token, sql)
	}
	run := func(what string, want int, words ...string) {
		t.Helper()
		cmd := p.command("verify", "--data", filepath.Join(p.dir, "data"))
		out, err := cmd.CombinedOutput()
		for _, w := range words {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: the output does not say %q: %s", what, w, out)
			}
		}
		if cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: %v: %s", what, err, out)
		}
	}
	run("beside the server", 1, "used by another process")
	p.stop() // It flushes.
	run("stopped", 0, "checked 1 tables, 1 segments", ": 0 problems")
	names, err := filepath.Glob(filepath.Join(p.dir, "data", "storage", "users", "*", "app", "t", "*.parquet"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files: %v, %v", names, err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(names[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	run("a bit turned over", 1, filepath.Base(names[0]), "1 problems")
	keys := strings.TrimSuffix(names[0], ".parquet") + ".keys"
	content[len(content)/2] ^= 1
	if err := os.WriteFile(names[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(p.dir, "data")
	out, err := p.run("verify", "--json", "--data", data)
	var doc struct {
		Problems int
		Findings []struct{ Kind, Path string }
	}
	text, _, _ := strings.Cut(out, "\n}") // What follows goes to stderr. Without an end, Unmarshal below fails.
	if jsonErr := json.Unmarshal([]byte(text+"\n}"), &doc); err == nil || jsonErr != nil || doc.Problems != 1 ||
		doc.Findings[0].Kind != "keys" {
		t.Errorf("verify --json: %v, %v\n%s", err, jsonErr, out)
	}
	if out, err := p.run("repair", "--data", data); err == nil || !strings.Contains(out, "would have made ") {
		t.Errorf("repair without --yes: %v\n%s", err, out)
	}
	if out, err := p.run("repair", "--yes", "--data", data); err != nil || !strings.Contains(out, "1 problems before, 1 repairs") {
		t.Errorf("repair: %v\n%s", err, out)
	}
	run("repaired", 0, ": 0 problems")
}
