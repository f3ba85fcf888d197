package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/lake"
)

// TestShowManifest: everybody sees the files of their own rows, dba those of all, and nobody a path of the server.
func TestShowManifest(t *testing.T) {
	s := newServer(t)
	ann, bob := userOf("ann"), userOf("bob")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual';"+
		" CREATE SHARED TABLE app.pay (id INT PRIMARY KEY) ACCESS LEVEL PRIVATE; CREATE STREAM TABLE app.s (id INT PRIMARY KEY) TTL 60")
	if r := s.must(ann, "SHOW MANIFEST"); len(r.rows) != 0 {
		t.Errorf("rows without anything: %v", r.rows)
	}
	s.must(ann, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b')")
	s.must(bob, "INSERT INTO app.t VALUES (1, 'canary')")
	s.must(root, "INSERT INTO app.pay VALUES (1)")
	const query = "SELECT cache_key, sync_state, segments, buffered_rows FROM system.manifest ORDER BY cache_key"
	if got := s.must(ann, query).table(); !strings.Contains(got, "app:t:ann | pending_write | 0 | 2\n") || strings.Contains(got, "bob") {
		t.Errorf("before a flush: %s", got)
	}
	s.flush()
	for who, want := range map[string]string{
		"ann":  "app:t:ann | in_sync | 1 | 0\n",
		"bob":  "app:t:bob | in_sync | 1 | 0\n",
		"root": "app:pay:shared | in_sync | 1 | 0\napp:t:ann | in_sync | 1 | 0\napp:t:bob | in_sync | 1 | 0\n",
	} {
		p := userOf(who)
		if who == "root" {
			p = root
		}
		r := s.must(p, query)
		if got := strings.SplitN(r.table(), "\n", 2)[1]; got != want {
			t.Errorf("%s sees %s", who, got)
		}
	}
	r := s.must(ann, "SHOW MANIFEST FOR app.t")
	var text string
	must(t, json.Unmarshal([]byte(r.rows[0][9]), &text))
	var m lake.ManifestJSON
	must(t, json.Unmarshal([]byte(text), &m))
	if len(r.rows) != 1 || len(m.Segments) != 1 || m.Segments[0].RowCount != 2 || strings.ContainsAny(m.Segments[0].Path, "/") ||
		strings.Contains(text, s.config.Storage.DataPath) || strings.Contains(text, "canary") {
		t.Errorf("%d rows, %s", len(r.rows), text)
	}
	if _, err := s.try(ann, "SHOW MANIFEST FOR app.pay"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("of a table that is not theirs: %v", err)
	}
	if got := s.single(ann, "SELECT count(*) FROM (SELECT unnest(json_extract(manifest_json, '$.segments[*]')) AS seg FROM system.manifest)"); got != `"1"` {
		t.Errorf("%s files by SQL", got)
	}
}
