package sqltext_test

import (
	"testing"

	"github.com/kalamlake/kalam/sqltext"
)

func TestNormalize(t *testing.T) {
	same := [][]string{
		{"SELECT a FROM t WHERE b = 'x  y'", "select a\n\tfrom  t -- c\nwhere /* d /* e */ */ b = 'x  y'  ",
			"Select a From t Where b = 'x  y' "},
		{"SELECT 'a' 'b'", "SELECT 'a' /*\n*/ 'b'", "select 'a' \t 'b'"},
		{"SELECT X'00' AS x", "select X'00'  as x"},
		{"SELECT a - -1", "SELECT a -/**/ -1"},
	}
	for _, list := range same {
		for _, sql := range list {
			if got, want := sqltext.Normalize(sql), sqltext.Normalize(list[0]); got != want {
				t.Errorf("%q and %q are the same, but %q and %q are not", sql, list[0], got, want)
			}
		}
	}
	different := []string{
		"SELECT a", "SELECT A", "SELECT \"a\"", "SELECT 'a'", "SELECT 'A'", "SELECT 'a'\n'b'", "SELECT 'a' 'b'",
		"SELECT 'a''b'", "SELECT a AS all", "SELECT a AS ALL",
		"SELECT t.all", "SELECT t.ALL", "SELECT {all: 1}", "SELECT {ALL: 1}", "SELECT - -a", "SELECT 1 2", "SELECT 12",
		"SELECT a b", "SELECT ab", "SELECT $1", "SELECT $2",
	}
	seen := map[string]string{}
	for _, sql := range different {
		n := sqltext.Normalize(sql)
		if other, ok := seen[n]; ok {
			t.Errorf("%q and %q are different, but both become %q", sql, other, n)
		}
		seen[n] = sql
	}
	for sql, want := range map[string]string{
		"select a from t": "SELECT a FROM t", "": "", " -- x": "", "select 'open": "select 'open",
		"select/* */1": "SELECT 1", "select(1)": "SELECT(1)",
	} {
		if got := sqltext.Normalize(sql); got != want {
			t.Errorf("%q: got %q, want %q", sql, got, want)
		}
	}
}

func BenchmarkNormalize(b *testing.B) {
	sql := "select  id, content\n  from app.messages -- newest\n where id = $1 and role = 'user'\n order by id desc limit 10"
	b.ReportAllocs()
	for b.Loop() {
		sqltext.Normalize(sql)
	}
}
