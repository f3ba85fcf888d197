package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// TestFlushOfManyBatches flushes rows of every type, of which each batch has other
// NULLs and other lengths than the one whose memory it takes over.
func TestFlushOfManyBatches(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, a TEXT, n INT, si SMALLINT, f FLOAT, d DOUBLE, m DECIMAL(20,4), ts TIMESTAMP, dt DATETIME, day DATE, tm TIME, j JSON, raw BYTES, u UUID, ok BOOLEAN)")
	s.must(alice, `INSERT INTO app.t SELECT i,
		CASE WHEN i % 4000 < 1500 THEN NULL ELSE repeat('x', (i // 2048) % 7 * 9) || i END, CASE WHEN i // 2048 % 2 = 0 THEN NULL ELSE i END,
		CASE WHEN i % 5 = 0 THEN NULL ELSE i % 1000 END, CASE WHEN i // 2048 % 3 = 1 THEN NULL ELSE i / 7 END, CASE WHEN i // 2048 % 3 = 2 THEN NULL ELSE i / 3 END,
		CASE WHEN i % 3 = 0 THEN NULL ELSE i * 1.25 END, CASE WHEN i % 7 = 0 THEN NULL ELSE TIMESTAMP '2026-01-01' + i * INTERVAL 1 SECOND END,
		CASE WHEN i // 2048 % 4 = 0 THEN NULL ELSE TIMESTAMPTZ '2026-01-01 00:00:00+00' + i * INTERVAL 1 MINUTE END,
		CASE WHEN i // 2048 % 4 = 1 THEN NULL ELSE DATE '2026-01-01' + (i % 900)::INT END, CASE WHEN i // 2048 % 4 = 2 THEN NULL ELSE TIME '00:00:01' + (i % 80000) * INTERVAL 1 SECOND END,
		CASE WHEN i // 2048 % 4 = 3 THEN NULL ELSE json_object('a', i) END, CASE WHEN i // 2048 % 5 = 0 THEN NULL ELSE encode('x' || i) END,
		CASE WHEN i // 2048 % 5 = 1 THEN NULL ELSE md5(i::VARCHAR)::UUID END, CASE WHEN i // 2048 % 5 = 2 THEN NULL ELSE i % 3 = 0 END
		FROM range(30000) r(i)`)
	s.must(alice, "DELETE FROM app.t WHERE id % 1000 = 7")
	queries := []string{"SELECT * FROM app.t ORDER BY id",
		"SELECT id, a, _seq FROM app.t WHERE _deleted = true ORDER BY id", "SELECT id, n, ok FROM app.t"}
	var want []string
	for _, q := range queries {
		want = append(want, s.must(alice, q).table())
	}
	s.flush()
	for i, q := range queries {
		if got := s.must(alice, q).table(); got != want[i] {
			t.Errorf("%s differs after the flush:\n%s", q, firstDifference(got, want[i]))
		}
	}
}

// TestFlushOfLongRows flushes rows that fill a batch by their bytes.
func TestFlushOfLongRows(t *testing.T) {
	s := newServer(t)
	alice := userOf("alice")
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, body TEXT)")
	for i := range 100 {
		s.must(alice, "INSERT INTO app.t VALUES ($1, $2)", kalam.BigInt(int64(i)),
			kalam.Text(strings.Repeat(fmt.Sprint(i, " "), 400_000/len(fmt.Sprint(i, " ")))))
	}
	s.must(alice, "INSERT INTO app.t SELECT i, 'short ' || i FROM range(100, 110) r(i)")
	const sql = "SELECT id, length(body) AS n, md5(body) AS sum FROM app.t"
	want := s.must(alice, sql).table()
	s.flush()
	if got := s.must(alice, sql).table(); got != want {
		t.Errorf("after the flush:\n%s", firstDifference(got, want))
	}
}

// firstDifference shows where two texts part.
func firstDifference(got, want string) string {
	n := 0
	for n < min(len(got), len(want)) && got[n] == want[n] {
		n++
	}
	from := max(n-100, 0)
	return "got  ..." + got[from:min(n+200, len(got))] + "\nwant ..." + want[from:min(n+200, len(want))]
}
