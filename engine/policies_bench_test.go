package engine_test

import (
	"testing"
)

// BenchmarkPolicies scans 100,000 rows of a SHARED table: by a policy, and with the same condition written by hand.
func BenchmarkPolicies(b *testing.B) {
	s := newServer(b)
	s.must(root, "CREATE NAMESPACE app; CREATE USER ann WITH PASSWORD 'correct horse 1'")
	for _, table := range []string{"docs", "plain"} {
		s.must(root, "CREATE SHARED TABLE app."+table+" (id BIGINT PRIMARY KEY, owner TEXT, word TEXT, n INT);"+
			"GRANT SELECT ON app."+table+" TO ROLE user;"+
			"INSERT INTO app."+table+" SELECT i, CASE WHEN i % 2 = 0 THEN 'ann' ELSE 'bob' END, 'word ' || i, i % 1000 FROM range(100000) AS r(i)")
	}
	s.flush()
	s.must(root, "CREATE POLICY own ON app.docs FOR SELECT USING (owner = CURRENT_USER())")
	ann := userOf("ann")
	for _, q := range []struct{ name, list, more string }{
		{"sum", "sum(n), max(word)", ""}, {"rows", "id, word, n", ""}, {"group", "n, count(*)", " GROUP BY n"},
	} {
		b.Run(q.name+"/policy", func(b *testing.B) {
			for b.Loop() {
				s.must(ann, "SELECT "+q.list+" FROM app.docs"+q.more)
			}
		})
		b.Run(q.name+"/hand", func(b *testing.B) {
			for b.Loop() {
				s.must(ann, "SELECT "+q.list+" FROM app.plain WHERE owner = CURRENT_USER()"+q.more)
			}
		})
	}
}
