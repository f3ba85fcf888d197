package kalam_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInvariantsAreTested holds docs/architecture/invariants.md to the tests: each line
// names a package and tests of it that exist.
func TestInvariantsAreTested(t *testing.T) {
	page, err := os.ReadFile("docs/architecture/invariants.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\| \*\*(\w+)\*\*.*\| (.+) \|$`)
	named := regexp.MustCompile("`([a-z/]+)` ((?:Test\\w+(?:, )?)+)")
	lines := line.FindAllStringSubmatch(string(page), -1)
	if len(lines) < 10 {
		t.Fatalf("the page has %d invariants", len(lines))
	}
	for _, l := range lines {
		packages := named.FindAllStringSubmatch(l[2], -1)
		if len(packages) == 0 {
			t.Errorf("%s names no test: %s", l[1], l[2])
		}
		for _, p := range packages {
			source := testsOf(t, p[1])
			for _, name := range strings.Split(strings.TrimSuffix(p[2], ", "), ", ") {
				if !strings.Contains(source, "\nfunc "+name+"(t *testing.T)") {
					t.Errorf("%s names %s of %s, which does not exist", l[1], name, p[1])
				}
			}
		}
	}
}

// testsOf returns the text of all tests of a package.
func testsOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}
