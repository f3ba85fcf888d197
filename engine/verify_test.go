package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/maintain/verify"
)

// verified runs Verify and returns the lines of what is wrong.
func verified(t *testing.T, cfg config.Config) (lines []string, r verify.Result, err error) {
	t.Helper()
	r, err = verify.Run(t.Context(), cfg.Inspect(),
		verify.Options{Problem: func(line string) { lines = append(lines, line) }})
	if len(lines) != r.Problems {
		t.Errorf("%d lines for %d problems", len(lines), r.Problems)
	}
	return lines, r, err
}

// TestVerify (D2) damages a lake whose server is stopped, in every kind of way: each is
// one line that names the file, and nothing is changed. A lake that is in use, or is none,
// is refused.
func TestVerify(t *testing.T) {
	r := seededRand(t)
	s := scrubbed(t)
	s.must(root, "CREATE USER TABLE app.gone (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'")
	cfg := s.config
	if _, _, err := verified(t, cfg); kalam.CodeOf(err) != kalam.CodeInvalidOperation ||
		!strings.Contains(err.Error(), "used by another process") {
		t.Errorf("Verify beside a server = %v", err)
	}
	s.stop()
	storage := cfg.StoragePath()
	before := treeOf(t, storage)
	lines, result, err := verified(t, cfg)
	if err != nil || len(lines) > 0 || result.Tables != 3 || result.Users != 3 || result.Segments != 3 ||
		result.Bytes == 0 || result.Unnamed != 0 {
		t.Errorf("Verify of a whole lake = %+v, %v, %v", result, lines, err)
	}
	sameTree(t, "storage", before, treeOf(t, storage))
	one := func(pattern string) string {
		names, err := filepath.Glob(filepath.Join(storage, pattern))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		return names[0]
	}
	alice, bob, shared := one("users/alice/*/*/*.parquet"), one("users/bob/*/*/*.parquet"), one("shared/*/*/*.parquet")
	keys := func(name string) string { return strings.TrimSuffix(name, ".parquet") + ".keys" }
	content := func(name string) []byte {
		b, err := os.ReadFile(name)
		must(t, err)
		return b
	}
	type damage struct {
		name string // Of the file that must be named.
		do   func()
	}
	damages := map[string]damage{
		"another user's rows":  {alice, func() { put(t, alice, content(bob)) }},
		"another user's keys":  {keys(alice), func() { put(t, keys(alice), content(keys(bob))) }},
		"another table's rows": {shared, func() { put(t, shared, content(alice)) }},
		"no rows":              {bob, func() { must(t, os.Remove(bob)) }},
		"no keys":              {keys(bob), func() { must(t, os.Remove(keys(bob))) }},
		"cut":                  {alice, func() { put(t, alice, content(alice)[:1000]) }},
	}
	for i := range 40 {
		name := []string{alice, keys(bob), shared, keys(shared)}[i%4]
		bit := r.IntN(8 * int(len(content(name))))
		damages[fmt.Sprintf("bit %d of %s", bit, filepath.Ext(name))] = damage{name, func() {
			b := content(name)
			b[bit/8] ^= 1 << (bit % 8)
			put(t, name, b)
		}}
	}
	for what, d := range damages {
		whole := content(d.name)
		d.do()
		lines, _, err := verified(t, cfg)
		lines = slices.DeleteFunc(lines, func(l string) bool {
			return strings.Contains(l,
				"manifest.json")
		}) // It names what is missing.
		if err != nil || len(lines) != 1 || !strings.Contains(lines[0],
			strings.TrimSuffix(filepath.Base(d.name), filepath.Ext(d.name))) {
			t.Errorf("%s: %q, %v", what, lines, err)
		}
		must(t, os.WriteFile(d.name, whole, 0o600))
	}
	if lines, _, err := verified(t, cfg); err != nil || len(lines) > 0 {
		t.Errorf("Verify of the restored lake = %v, %v", lines, err)
	}
	cfg.Storage.DataPath = t.TempDir()
	if _, _, err := verified(t, cfg); err == nil {
		t.Error("a directory without a lake is verified")
	}
	if left := treeOf(t, cfg.Storage.DataPath); len(left) > 0 {
		t.Errorf("Verify makes %v", left)
	}
}
