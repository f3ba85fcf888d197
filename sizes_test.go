package kalam_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxFolderLines is how many lines of production code a folder of its own may have: past
// it a newcomer cannot read a package in a day, and it is divided.
const maxFolderLines = 5000

// TestFoldersAreSmall holds every folder to maxFolderLines.
func TestFoldersAreSmall(t *testing.T) {
	lines := map[string]int{}
	for _, p := range listPackages(t) {
		names, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines[p.ImportPath] += bytes.Count(text, []byte("\n"))
		}
	}
	if len(lines) < 50 {
		t.Fatalf("only %d packages were found", len(lines))
	}
	for path, n := range lines {
		if n > maxFolderLines {
			t.Errorf("%s has %d lines of production code, the most is %d", path, n, maxFolderLines)
		}
	}
}
