package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kalamlake/kalam/export/iceberg/icebergtest"
	"github.com/kalamlake/kalam/internal/eventually"
)

// TestIcebergExportIsKilled kills the server while it exports a catalog, at a random moment, many times. A reader finds
// the catalog of before or the new one, whole; after the next start the interrupted job writes the new one.
func TestIcebergExportIsKilled(t *testing.T) {
	const rounds, each = 12, 500
	// Of files that a compaction replaces nothing can be read any more.
	p := &process{t: t, dir: t.TempDir(), env: []string{"KALAM_LAKE_COMPACT_SEGMENTS=0"}}
	t.Cleanup(p.kill)
	p.start()
	token := p.login("root", testRootPassword)
	p.sql(token, "CREATE NAMESPACE app")
	p.sql(token, "CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	read := func() (rows int, there bool) {
		folders, err := filepath.Glob(filepath.Join(p.dir, "data", "storage", "shared", "app", "t", "iceberg-*"))
		if err != nil || len(folders) > 1 {
			t.Fatalf("catalogs %q, %v", folders, err)
		}
		if len(folders) == 0 {
			return 0, false
		}
		if hints, err := filepath.Glob(filepath.Join(folders[0], "metadata", "version-hint.text")); err != nil || len(hints) == 0 {
			return 0, false // Cut off before the first was whole.
		}
		found, ok := icebergtest.Read(t, folders[0], icebergtest.Options{})
		return len(found.Rows), ok
	}
	cut, before := 0, 0
	for round := 1; round <= rounds; round++ {
		p.sql(token, fmt.Sprintf("INSERT INTO app.t SELECT i, md5(i::TEXT) FROM range(%d, %d) AS r(i)", (round-1)*each, round*each))
		p.sql(token, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", (round-1)*each))
		p.sql(token, "STORAGE FLUSH TABLE app.t")
		eventually.True(t, "the rows are flushed", func() bool {
			return p.count(token, "system.jobs WHERE status NOT IN ('completed', 'failed')") == "0"
		})
		p.sql(token, "STORAGE EXPORT CATALOG app.t FORMAT iceberg")
		<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
		p.kill()
		now := round * (each - 1)
		if rows, ok := read(); ok && !slices.Contains([]int{before, now}, rows) {
			t.Errorf("round %d: after a kill there are %d rows, want %d or %d", round, rows, before, now)
		} else if rows != now {
			cut++
		}
		p.start()
		token = p.login("root", testRootPassword)
		eventually.True(t, "the interrupted export is written", func() bool {
			return p.count(token, "system.jobs WHERE status NOT IN ('completed', 'failed')") == "0"
		})
		if rows, ok := read(); ok && rows != now {
			t.Errorf("round %d: after the start there are %d rows, want %d", round, rows, now)
		}
		before = now
	}
	t.Logf("%d kills, of which %d were before the catalog was whole", rounds, cut)
	p.sql(token, "STORAGE VERIFY")
	eventually.True(t, "the lake is verified", func() bool {
		return p.count(token, "system.jobs WHERE status = 'completed' AND job_type = 'verify'") == "1"
	})
}
