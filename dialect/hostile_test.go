package dialect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
)

// megabyte repeats s up to 1 MB.
func megabyte(s string) string { return strings.Repeat(s, (1<<20)/len(s)) }

// numbered joins n pieces of one format whose verb is their number.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// hostile are texts of 1 MB that would be slow for a parser with a quadratic
// step or a deep recursion.
func hostile() []string {
	texts := []string{
		"SELECT $" + megabyte("a") + "$" + strings.Repeat("$"+strings.Repeat("a", 1000), 1000),
		"CREATE TABLE t (" + numbered(80000, "c%d INT, ") + ")",
		"CREATE NAMESPACE n OPTIONS (" + numbered(80000, "k%d = 1, ") + ")",
		"SELECT " + numbered(65000, "$%d, ") + "1",
		"SELECT 1" + megabyte(" AS a, 1"),
		"SELECT " + megabyte("a") + " FROM t WHERE id = 1",
		"SELECT a FROM t WHERE " + megabyte("a") + " = 1",
		"DELETE FROM t WHERE " + strings.Repeat("(", 1000) + "a = 1" + strings.Repeat(")", 1000),
		"DELETE FROM t WHERE " + strings.Repeat("(", 1001) + "a = 1" + strings.Repeat(")", 1001),
	}
	for _, prefix := range []string{
		"", "SELECT ", "SELECT (", "INSERT INTO t VALUES ", "INSERT INTO t VALUES (", "INSERT INTO t VALUES (f(", "INSERT INTO t SELECT 1 ", "UPDATE t SET a = ",
		"DELETE FROM t WHERE a = ", "DELETE FROM t WHERE ", "SUBSCRIBE TO t WHERE ", "EXECUTE AS USER 'a' (", "CREATE TABLE t (a INT DEFAULT ", "CREATE TABLE t (a INT) ",
		"CREATE USER a WITH PASSWORD ", "WITH ", "KILL JOB ", "SHOW TABLES IN ",
	} {
		for _, s := range []string{
			"(", "((", "[", "{", ")", "(1),", "(f(1)),", "('a''b'),", "(E'a'),", "a ? ", "(a ? b) ? ", "a ? b + ", "a::b", "- ", "x[1]", "[1] ? ", "a.", "a. ", "f(", "f(x)[1]::t ? ",
			"/*", "/* */", "-- x\n", "--", "'a'\n", "'a' ", "'", "\"", "`", "\"a\"", "`a`", "$", "$a", "$a$", "$$", "E'\\'", "E'", "X'00'", "0x00 ", ";", "\\", "?", "? ",
			"\u00a0", "\u2028", "\u200b", "\ufeff", "\x00", "\xff", "é", "日本", "a", "1", "1e", "1_", ".", "..", ":", "::", "->", "->>", "/", "/*/", "*/", "=", "!=", ",", "a,", "1, ",
			"a AS (SELECT 1), ", "LIMIT 1, 1 ", "LIMIT ", "a = 1, ", "a = 1 AND ", "AND ", "NOT ", "last_rows = 1,", "LAST ", "LAST 1 ", "OPTIONS ", "OPTIONS (", "ON CONFLICT ", "ON ", "ON DUPLICATE ",
			"READ WRITE ", "SET ROLE dba ", "USING x ", "WITH () ", "WITH ", "STORAGE s ", "DEFAULT ", "CAST(", "CASE WHEN ", "SELECT ", "FROM ", "DISTINCT FROM ", "INTERVAL ", "$1", "$1 ", "a$", "a:", "{a:", "AS ",
		} {
			texts = append(texts, prefix+megabyte(s))
		}
	}
	return texts
}

// TestHostileInput checks that nothing panics and that 1 MB takes less than a
// second, which is a hundred times what it should.
func TestHostileInput(t *testing.T) {
	const limit = time.Second
	texts := hostile()
	if testing.Short() {
		texts = texts[:200]
	}
	for _, text := range texts {
		for name, f := range map[string]func(){
			"Split": func() { checkSplit(t, text) },
			"Parse": func() {
				if st := checkParse(t, text); st != nil {
					if q, ok := st.(*dialect.Select); ok {
						dialect.PointOf(q)
					}
				}
			},
			"Normalize": func() { dialect.Normalize(text) },
			"Redact":    func() { dialect.Redact(text) },
			"MapParams": func() { dialect.MapParams(text, func(n int) int { return n }) },
			"ParseType": func() { _, _ = dialect.ParseType(text) },
			"IsQuery":   func() { dialect.IsQuery(text) },
		} {
			start := time.Now()
			f()
			if took := time.Since(start); took > limit {
				t.Errorf("%s of %d bytes, %.60q..., took %v", name, len(text), text, took)
			}
		}
	}
}

// checkSplit checks what holds for every text: the fragments and the blanks,
// comments and `;` between them are the text.
func checkSplit(t *testing.T, text string) []dialect.Fragment {
	t.Helper()
	list, err := dialect.Split(text)
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
		if f.Text == "" || f.Offset < end || f.Offset+len(f.Text) > len(text) || text[f.Offset:f.Offset+len(f.Text)] != f.Text {
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
func checkGap(t *testing.T, text, gap string) {
	t.Helper()
	if list, err := dialect.Split(gap); err != nil || len(list) > 0 {
		t.Errorf("Split(%.100q) left %.100q out: %v, %v", text, gap, list, err)
	}
}

// checkParse checks what holds for every text: a statement or an error.
func checkParse(t *testing.T, text string) dialect.Statement {
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
func checkFailure(t *testing.T, text string, err error) {
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
