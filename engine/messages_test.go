package engine_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
)

// leastMistakes is how many mistakes of the first hour are in the golden, at least.
const leastMistakes = 95

// TestMistakes makes the mistakes of a first hour and compares what the user is told, with -rewrite writes it down. A
// block of the golden is the statement, a caret under the place, the message, the names that were probably meant, and
// what to do.
func TestMistakes(t *testing.T) {
	const golden = "testdata/messages/mistakes.txt"
	s := newServer(t)
	for _, sql := range []string{
		"CREATE NAMESPACE app", "CREATE NAMESPACE secret",
		`CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL, n INT, at TIMESTAMP, doc JSON,
			price DECIMAL(6,2), ok BOOLEAN)`,
		"CREATE SHARED TABLE app.team (id BIGINT PRIMARY KEY, name TEXT) WITH (ACCESS_LEVEL = 'PUBLIC')",
		"CREATE SHARED TABLE secret.plans (id BIGINT PRIMARY KEY, detail TEXT) WITH (ACCESS_LEVEL = 'PRIVATE')",
		"CREATE VIEW app.recent AS SELECT id, body AS words FROM app.notes",
	} {
		s.must(root, sql)
	}
	s.must(userOf("alice"), "INSERT INTO app.notes (id, body) VALUES (7, 'seven')")
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	n := 0
	for _, line := range strings.Split(string(text), "\n") {
		who, sql, ok := strings.Cut(line, "> ")
		if !ok || strings.HasPrefix(line, " ") {
			continue
		}
		n++
		p := userOf(who)
		if who == "root" {
			p = root
		}
		_, err := s.try(p, sql)
		got.WriteString(told(line, len(who)+2, err))
	}
	if n < leastMistakes {
		t.Errorf("%d mistakes, want at least %d", n, leastMistakes)
	}
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), got.String()); d != "" {
		t.Errorf("see whether the new messages are better, then run with -rewrite:\n%s", d)
	}
}

// anyID is the id of a transaction.
var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// told shows what a user is told of a statement, which begins at a column of its line.
func told(line string, column int, err error) string {
	var e *kalam.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("%s\n   no error: %v\n\n", line, err)
	}
	var b strings.Builder
	fmt.Fprintln(&b, line)
	if e.Position > 0 {
		fmt.Fprintf(&b, "%s^\n", strings.Repeat(" ", column+e.Position-1))
	}
	fmt.Fprintf(&b, "   %s\n", anyID.ReplaceAllString(kalam.MessageOf(err), "(id)"))
	if len(e.Suggestions) > 0 {
		fmt.Fprintf(&b, "   did you mean %s?\n", strings.Join(e.Suggestions, ", "))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, "   hint: %s\n", e.Hint)
	}
	return b.String() + "\n"
}
