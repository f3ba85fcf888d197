package dialect_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

const megabyte = 1 << 20

// fill repeats s up to size bytes.
func fill(s string, size int) string { return strings.Repeat(s, size/len(s)) }

// numbered joins n pieces of one format whose verb is their number.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// hostilePieces would be slow, many of them, in a parser with a quadratic step
// or a deep recursion.
var hostilePieces = []string{
	"(", "((", "[", "{", ")", "(1),", "(f(1)),", "('a''b'),", "(E'a'),", "a ? ", "(a ? b) ? ", "a ? b + ", "a::b", "- ",
	"x[1]", "[1] ? ", "a.", "a. ", "f(", "f(x)[1]::t ? ",
	"/*", "/* */", "-- x\n", "--", "'a'\n", "'a' ", "'", "\"", "`", "\"a\"", "`a`", "$", "$a", "$a$", "$$", "E'\\'",
	"E'",
	"X'00'", "0x00 ", ";", "\\", "?", "? ",
	"\u00a0", "\u2028", "\u200b", "\ufeff", "\x00", "\xff", "é", "日本", "a", "1", "1e", "1_", ".", "..", ":", "::", "->",
	"->>", "/", "/*/", "*/", "=", "!=", ",", "a,", "1, ",
	"a AS (SELECT 1), ", "LIMIT 1, 1 ", "LIMIT ", "a = 1, ", "a = 1 AND ", "AND ", "NOT ", "last_rows = 1,", "LAST ",
	"LAST 1 ", "OPTIONS ", "OPTIONS (", "ON CONFLICT ", "ON ", "ON DUPLICATE ",
	"READ WRITE ", "SET ROLE dba ", "USING x ", "WITH () ", "WITH ", "STORAGE s ", "DEFAULT ", "CAST(", "CASE WHEN ",
	"SELECT ", "FROM ", "DISTINCT FROM ", "INTERVAL ", "$1", "$1 ", "a$", "a:", "{a:", "AS ",
}

// hostilePrefixes lead into every part of the parser.
var hostilePrefixes = []string{
	"", "SELECT ", "SELECT (", "INSERT INTO t VALUES ", "INSERT INTO t VALUES (", "INSERT INTO t VALUES (f(",
	"INSERT INTO t SELECT 1 ", "UPDATE t SET a = ",
	"DELETE FROM t WHERE a = ", "DELETE FROM t WHERE ", "SUBSCRIBE TO t WHERE ", "EXECUTE AS USER 'a' (",
	"CREATE TABLE t (a INT DEFAULT ", "CREATE TABLE t (a INT) ",
}

// TestHostileInput checks that nothing panics, and that time grows with the
// length: a quadratic step would take minutes for 1 MB.
func TestHostileInput(t *testing.T) {
	size := megabyte
	if raceEnabled {
		size /= 8
	}
	for i, piece := range hostilePieces {
		checkHostile(t, []string{"SELECT ", "INSERT INTO t VALUES (", ""}[i%3]+fill(piece, size), time.Second)
		for _, prefix := range hostilePrefixes {
			checkHostile(t, prefix+fill(piece, 16<<10), 150*time.Millisecond)
		}
	}
	for _, text := range []string{
		"SELECT $" + fill("a", megabyte/2) + "$" + fill("$"+fill("a", 1000), megabyte/2),
		"CREATE TABLE t (" + numbered(80000, "c%d INT, ") + ")",
		"CREATE NAMESPACE n OPTIONS (" + numbered(80000, "k%d = 1, ") + ")",
		"SELECT " + numbered(65000, "$%d, ") + "1",
		"SELECT " + fill("a", megabyte) + " FROM t WHERE id = 1",
		"SELECT a FROM t WHERE " + fill("a", megabyte) + " = 1",
		"SELECT " + numbered(20000, "a%d, ") + "a FROM t WHERE id = 1",
		"INSERT INTO t VALUES " + fill("(1, 'a', NULL),", megabyte) + "(1, 'a', NULL)",
		"INSERT INTO t VALUES " + fill("(1, -x, E'\\n', a ? 'k'),", megabyte) + "(1, 2, 3, 4)",
		"CREATE USER u WITH PASSWORD '" + fill("a''", megabyte) + "'",
		"EXECUTE AS USER 'a' (" + fill("(", megabyte/2) + fill(")", megabyte/2) + ")",
		"DELETE FROM t WHERE " + fill("a = 1 AND ", megabyte) + "a = 1",
	} {
		checkHostile(t, text, time.Second)
	}
}

// checkHostile runs every function over text; the best of three runs counts.
func checkHostile(t *testing.T, text string, limit time.Duration) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for name, f := range map[string]func(){
		"Split": func() { checkSplit(t, text) },
		"Parse": func() {
			if q, ok := checkParse(t, text).(*ast.Select); ok {
				dialect.PointOf(q)
			}
		},
		"Normalize": func() { sqltext.Normalize(text) },
		"Redact":    func() { sqltext.Redact(text) },
		"MapParams": func() { sqltext.MapParams(text, func(n int) int { return n }) },
		"ParseType": func() { _, _ = dialect.ParseType(text) },
	} {
		best := limit + 1
		for try := 0; try < 3 && best > limit; try++ {
			start := cpuTime()
			f()
			best = min(best, cpuTime()-start)
		}
		if best > limit {
			t.Errorf("%s of %d bytes, %.60q..., took more than %v", name, len(text), text, limit)
		}
	}
}

// TestNesting checks the limit of raw SQL's brackets.
func TestNesting(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "a = 1" + strings.Repeat(")", n) }
	st := mustParse(t, "DELETE FROM t WHERE "+nested(1000)).(*ast.Delete)
	if len(st.KeyEquals) != 1 {
		t.Errorf("got %v", st.KeyEquals)
	}
	for _, prefix := range []string{"DELETE FROM t WHERE ", "SELECT ", "INSERT INTO t VALUES (",
		"SUBSCRIBE TO t WHERE "} {
		_, err := dialect.Parse(prefix + nested(100000))
		checkError(t, err, kalam.CodeInvalidSQL, len(prefix)+1001, "Brackets are nested more than 1000 levels deep")
	}
}

// checkSplit checks what holds for every text: the fragments and the blanks,
// comments and `;` between them are the text.
func checkSplit(t tester, text string) []sqltext.Fragment {
	t.Helper()
	list, err := sqltext.Split(text)
	if err != nil {
		if list != nil {
			t.Errorf("Split(%.100q) gives fragments and an error", text)
		}
		checkFailure(t, text, err)
		if kalam.CodeOf(err) != kalam.CodeBatchParse {
			t.Errorf("Split(%.100q): code %d", text, kalam.CodeOf(err))
		}
		return nil
	}
	end := 0
	for i, f := range list {
		if f.Text == "" || f.Offset < end || f.Offset+len(f.Text) > len(text) ||
			text[f.Offset:f.Offset+len(f.Text)] != f.Text {
			t.Fatalf("Split(%.100q): fragment %d is %.100q at %d", text, i, f.Text, f.Offset)
		}
		gap := text[end:f.Offset]
		if i > 0 && !strings.Contains(gap, ";") {
			t.Errorf("Split(%.100q): no `;` before fragment %d", text, i)
		}
		checkGap(t, text, gap)
		end = f.Offset + len(f.Text)
	}
	checkGap(t, text, text[end:])
	return list
}

// checkGap checks that the text between two fragments holds no statement.
func checkGap(t tester, text, gap string) {
	t.Helper()
	if list, err := sqltext.Split(gap); err != nil || len(list) > 0 {
		t.Errorf("Split(%.100q) left %.100q out: %v, %v", text, gap, list, err)
	}
}

// checkParse checks what holds for every text: a statement or an error.
func checkParse(t tester, text string) ast.Statement {
	t.Helper()
	st, err := dialect.Parse(text)
	if err == nil {
		if st == nil || st.Verb() == "" {
			t.Errorf("Parse(%.100q) gives %v without an error", text, st)
		}
		return st
	}
	if st != nil {
		t.Errorf("Parse(%.100q) gives a statement and an error", text)
	}
	checkFailure(t, text, err)
	return nil
}

// checkFailure checks that an error is fit for a user.
func checkFailure(t tester, text string, err error) {
	t.Helper()
	var ke *kalam.Error
	if !errors.As(err, &ke) {
		t.Fatalf("%.100q: error of type %T: %v", text, err, err)
	}
	if ke.Position < 0 || ke.Position > len(text)+1 || ke.Position == 0 && ke.Code != kalam.CodeEmptySQL {
		t.Errorf("%.100q: position %d of %q in %d bytes", text, ke.Position, ke.Msg, len(text))
	}
	if len(ke.Msg) > 400 || !utf8.ValidString(ke.Msg) || strings.ContainsAny(ke.Msg, "\x00\n\r\u2028\u0085") {
		t.Errorf("%.100q: message %q", text, ke.Msg)
	}
}
