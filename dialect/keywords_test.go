package dialect_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/sqltext"
)

func TestKeywords(t *testing.T) {
	for _, list := range [][]string{sqltext.Keywords(), sqltext.ReservedWords()} {
		for i, w := range list {
			if w != strings.ToUpper(w) || i > 0 && list[i-1] >= w {
				t.Errorf("%s is not in upper case or not in order", w)
			}
		}
	}
	for _, w := range sqltext.ReservedWords() {
		if dialect.CheckTableName(strings.ToLower(w)) == nil {
			t.Errorf("a table may be called %s", w)
		}
	}
	for _, w := range []string{"SELECT", "NAMESPACE", "FLUSH_POLICY", "FLUSH_CRON", "SUBSCRIBE",
		"UUID_V7", "CURRENT_TIMESTAMP"} {
		if !slices.Contains(sqltext.Keywords(), w) {
			t.Errorf("%s is missing", w)
		}
	}
	for w, want := range map[string]bool{"select": true, "SELECT": true, "Concurrently": true, "user": false,
		"current_user": false, "selectx": false, "": false} {
		if sqltext.IsReserved(w) != want {
			t.Errorf("IsReserved(%q) is %v", w, !want)
		}
	}
	list := sqltext.Keywords()
	list[0] = "changed"
	if sqltext.Keywords()[0] == "changed" {
		t.Error("the caller does not own the slice")
	}
}

// TestReferenceIsComplete compares the SQL reference with the lists of the code.
func TestReferenceIsComplete(t *testing.T) {
	b, err := os.ReadFile("../docs/reference/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	_, rest, ok := strings.Cut(text, "Reserved as names:\n\n```\n")
	block, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("the reference has no list of reserved words")
	}
	if d := cmp.Diff(sqltext.ReservedWords(), strings.Fields(block)); d != "" {
		t.Errorf("reserved words: %s", d)
	}
	for _, k := range kalam.Kinds() {
		if !strings.Contains(text, "| `"+k.String()) {
			t.Errorf("the reference does not have the type %s", k)
		}
	}
}
