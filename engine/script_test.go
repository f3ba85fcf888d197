package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts of testdata/sql give into them")

// directive is one step of a script: exec and query run one request as a user
// and state what it gives.
type directive struct {
	line     int
	word     string // exec or query.
	who      kalam.Principal
	sql      string
	expected string
}

// parseScript reads a script. A directive is a line "exec|query user=NAME
// [role=ROLE]", the SQL, a line "----", and the expected text up to an empty line.
func parseScript(t *testing.T, name string) []directive {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []directive
	lines := strings.Split(string(raw), "\n")
	for i := 0; i < len(lines); {
		line := strings.TrimSpace(lines[i])
		if line == "" || strings.HasPrefix(line, "#") {
			i++
			continue
		}
		d := directive{line: i + 1, who: kalam.Principal{User: "root", Role: kalam.RoleSystem}}
		words := strings.Fields(line)
		d.word = words[0]
		if d.word != "exec" && d.word != "query" {
			t.Fatalf("%s:%d: unknown directive %q", name, d.line, line)
		}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			switch key {
			case "user":
				d.who.User = kalam.UserID(value)
				if value != "root" {
					d.who.Role = kalam.RoleUser
				}
			case "role":
				if d.who.Role, err = kalam.ParseRole(value); err != nil {
					t.Fatalf("%s:%d: %v", name, d.line, err)
				}
			default:
				t.Fatalf("%s:%d: unknown option %q", name, d.line, w)
			}
		}
		var sql, want []string
		for i++; i < len(lines) && lines[i] != "----"; i++ {
			sql = append(sql, lines[i])
		}
		for i++; i < len(lines) && lines[i] != ""; i++ {
			want = append(want, lines[i])
		}
		d.sql, d.expected = strings.Join(sql, "\n"), strings.Join(want, "\n")
		out = append(out, d)
	}
	return out
}

// states are the histories under which every script gives the same: where
// the rows are must not show. before is called before the n-th directive.
var states = []struct {
	name   string
	before func(s *server, n int, word string)
}{
	{"buffered", func(*server, int, string) {}},
	{"flushed", func(s *server, _ int, word string) {
		if word == "query" {
			s.flush()
		}
	}},
	{"half", func(s *server, n int, _ string) {
		if n%2 == 0 {
			s.flush()
		}
	}},
	{"segments", func(s *server, _ int, _ string) { s.flush() }}, // One segment per statement: what compaction merges.
	{"compacted", func(s *server, _ int, word string) {
		s.flush()
		if word == "query" {
			s.compact()
		}
	}},
	{"restarted", func(s *server, n int, word string) {
		if n%3 == 0 {
			s.flush()
		}
		if word == "query" {
			s.restart()
		}
	}},
}

// run executes a directive and renders what it gave.
func (d directive) run(s *server) string {
	res, err := s.try(d.who, d.sql)
	var b strings.Builder
	for _, r := range res {
		if d.word == "query" && r.columns != nil {
			b.WriteString(timeless(r.table()))
			continue
		}
		fmt.Fprintf(&b, "%s\n", generic(r.message))
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %s\n", generic(messageOf(err)))
	}
	return strings.TrimRight(b.String(), "\n")
}

var (
	idPattern   = regexp.MustCompile(`\b(CL|CO|FL)-[0-9a-f]{12}\b`)
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	timePattern = regexp.MustCompile(`\b[0-9]{16}\b`)
)

// generic replaces the ids of a message that differ from run to run.
func generic(message string) string {
	return uuidPattern.ReplaceAllString(idPattern.ReplaceAllString(message, "$1-..."), "<uuid>")
}

// timeless replaces timestamps of the test's own time.
func timeless(table string) string {
	now := time.Now().UnixMicro()
	return timePattern.ReplaceAllStringFunc(table, func(digits string) string {
		n, err := strconv.ParseInt(digits, 10, 64)
		if age := now - n; err == nil && age > -int64(time.Hour/time.Microsecond) && age < int64(time.Hour/time.Microsecond) {
			return "<now>"
		}
		return digits
	})
}

// TestScripts runs every script in every state. It is the behaviour of the SQL
// dialect and FlushIsInvisible in one. Of the cases that others found it has A1
// (arrows.test), A7 (words.test, default.test), A8 (types.test) and B5 (keyless.test).
func TestScripts(t *testing.T) {
	names, err := filepath.Glob("testdata/sql/*.test")
	if err != nil || len(names) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if *rewrite {
		for _, name := range names {
			rewriteScript(t, name)
		}
	}
	for _, st := range states {
		t.Run(st.name, func(t *testing.T) {
			merged := 0
			for _, name := range names {
				t.Run(strings.TrimSuffix(filepath.Base(name), ".test"), func(t *testing.T) {
					s := newServer(t)
					for n, d := range parseScript(t, name) {
						st.before(s, n, d.word)
						if got := d.run(s); got != d.expected {
							t.Errorf("%s:%d: as %s: %s\ngot:\n%s\nwant:\n%s", name, d.line, d.who.User, d.sql, got, d.expected)
						}
					}
					merged += s.merged
				})
			}
			if st.name == "compacted" && merged == 0 {
				t.Error("no script had segments that were merged")
			}
		})
	}
}

// rewriteScript replaces what the script expects by what the first state gives.
func rewriteScript(t *testing.T, name string) {
	t.Helper()
	s := newServer(t)
	defer s.stop()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	var out []string
	at := 0
	for _, d := range parseScript(t, name) {
		out = append(out, lines[at:d.line]...)
		at = d.line + len(strings.Split(d.sql, "\n"))
		out = append(out, d.sql, "----", d.run(s))
		for at < len(lines) && lines[at] != "" {
			at++
		}
	}
	out = append(out, lines[at:]...)
	if err := os.WriteFile(name, []byte(strings.Join(out, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
