package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/sqltext"
)

// insertText returns an INSERT of n rows with 6 columns, about 150 bytes each.
func insertText(n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO app.messages (id, conversation_id, role, content, score, created_at) VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b,
			"(%d, 'conv-%04d', 'assistant', 'The quick brown fox jumps over the lazy dog, message number %d', "+
				"-%d.25, '2026-01-31T12:%02d:00Z')",
			1700000000000+i, i%997, i, i%100, i%60)
	}
	return b.String()
}

func BenchmarkParseInsert(b *testing.B) {
	for _, n := range []int{1, 1000} {
		sql := insertText(n)
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(sql)))
			for b.Loop() {
				if _, err := dialect.Parse(sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	sql := insertText(1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(sql)))
	for b.Loop() {
		if _, err := sqltext.Split(sql); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ name, sql string }{
		{"point-select", "SELECT * FROM app.messages WHERE id = $1"},
		{"update", "UPDATE app.messages SET content = $1, score = score + 1 WHERE id = $2"},
		{"delete", "DELETE FROM app.messages WHERE id = 42"},
		{"create-table",
			"CREATE USER TABLE app.messages (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), content TEXT NOT NULL, " +
				"created TIMESTAMP DEFAULT NOW()) FLUSH ROWS 1000 FLUSH INTERVAL 60s"},
		{"rewritten-select", "SELECT `a`.`b` FROM `t` WHERE data ? 'k' LIMIT 5, 10"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dialect.Parse(c.sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
