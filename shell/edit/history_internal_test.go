package edit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	historySize = 1000
	unwanted    = `\quit`
)

// wanted keeps all statements but one.
func wanted(statement string) bool { return statement != unwanted }

func TestHistoryFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".kalam")
	h, warning := OpenHistory(dir, historySize, wanted)
	if warning != "" {
		t.Fatal(warning)
	}
	statements := []string{"SELECT 1;", "SELECT 'a\nb';", `SELECT '\n \\ 你';`, "\\dt", "SELECT\r\n\t1;"}
	for _, s := range append(statements, "\\dt", "", unwanted) {
		if s == "\\dt" && h.entries[len(h.entries)-1] != "\\dt" && len(h.entries) == len(statements) {
			continue // Only a repetition of the last one is left out.
		}
		if _, err := h.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	again, warning := OpenHistory(dir, historySize, wanted)
	if d := cmp.Diff(statements, again.entries); d != "" || warning != "" {
		t.Errorf("%s %s", warning, d)
	}
	if added, err := again.Add(statements[len(statements)-1]); err != nil || added {
		t.Errorf("a repetition was added: %q, %v", again.entries, err)
	}
	if err := again.Clear(); err != nil {
		t.Fatal(err)
	}
	if h, _ := OpenHistory(dir, historySize, wanted); len(h.entries) != 0 {
		t.Errorf("after clear: %q", h.entries)
	}
}

func TestHistoryDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "history")
	damaged := "SELECT 1;\n\xff\xfe\nSELECT \\q;\n\x00\x00\nends in \\\n\n" +
		strings.Repeat("x", historyLine+1) + "\nSELECT 2;"
	if err := os.WriteFile(path, []byte(damaged), 0o644); err != nil {
		t.Fatal(err)
	}
	h, warning := OpenHistory(dir, historySize, wanted)
	if d := cmp.Diff([]string{"SELECT 1;", "SELECT 2;"}, h.entries); d != "" {
		t.Error(d)
	}
	if want := fmt.Sprintf("Warning: 5 damaged lines of %s were skipped", path); warning != want {
		t.Errorf("warning %q, want %q", warning, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A line that was not ended does not take the next statement with it.
	if _, err := h.Add("SELECT 3;"); err != nil {
		t.Fatal(err)
	}
	if h, _ := OpenHistory(dir, historySize, wanted); h.entries[len(h.entries)-1] != "SELECT 3;" {
		t.Errorf("after an append: %q", h.entries)
	}
}

func TestHistoryIsShortened(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&b, "SELECT %d;\n", i)
	}
	path := filepath.Join(dir, "history")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, warning := OpenHistory(dir, historySize, wanted)
	last := len(h.entries) - 1
	if last+1 != historySize || h.entries[0] != "SELECT 1000;" || h.entries[last] != "SELECT 1999;" || warning != "" {
		t.Errorf("%d entries from %q, %s", len(h.entries), h.entries[0], warning)
	}
	lines := func() int {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n")
	}
	if n := lines(); n != historySize {
		t.Errorf("the file has %d lines", n)
	}
	if _, err := h.Add("SELECT 2000;"); err != nil || len(h.entries) != historySize {
		t.Errorf("%d entries, %v", len(h.entries), err)
	}
	if err := h.close(); err != nil || lines() != historySize {
		t.Errorf("after close: %d lines, %v", lines(), err)
	}
}

// TestHistoryOfSeveralShells lets shells add at once: nothing is lost or torn.
func TestHistoryOfSeveralShells(t *testing.T) {
	dir := t.TempDir()
	const shells, each = 4, 50
	var all sync.WaitGroup
	for i := range shells {
		all.Add(1)
		go func() {
			defer all.Done()
			h, warning := OpenHistory(dir, historySize, wanted)
			if warning != "" {
				t.Error(warning)
			}
			for n := range each {
				if _, err := h.Add(fmt.Sprintf("SELECT %d,\n%d, '%s';", i, n, strings.Repeat("x", 5000))); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	all.Wait()
	h, warning := OpenHistory(dir, historySize, wanted)
	seen := map[string]bool{}
	for _, e := range h.entries {
		seen[e] = true
	}
	if len(seen) != shells*each || warning != "" {
		t.Errorf("%d different entries, %s", len(seen), warning)
	}
}

func TestHistoryWithoutDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, warning := OpenHistory(filepath.Join(file, ".kalam"), historySize, wanted)
	if !strings.HasPrefix(warning, "Warning: the history is not kept: ") {
		t.Errorf("warning %q", warning)
	}
	if _, err := h.Add("SELECT 1;"); err != nil || len(h.entries) != 1 {
		t.Errorf("%q, %v", h.entries, err)
	}
}

// FuzzEntry checks that what is written is read back, whatever it is.
func FuzzEntry(f *testing.F) {
	f.Add("SELECT 1;\n\\n")
	f.Fuzz(func(t *testing.T, s string) {
		line := encodeEntry(s)
		if strings.ContainsAny(line, "\r\n") {
			t.Fatalf("%q has a line end", line)
		}
		if got, ok := decodeEntry(line); ok && got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}
