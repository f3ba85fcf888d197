package maintain

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/maintain/purge"
)

// TestJobTypes checks what records of jobs and system.jobs hold of each kind: neither the
// kinds nor the names may change.
func TestJobTypes(t *testing.T) {
	d := &deps{catalog: newRecords(t)}
	defer d.catalog.Close()
	m := &Maintainer{
		deps: d, flushes: &flushes{deps: d}, compactions: &compactions{deps: d}, cleaner: &cleaner{deps: d},
		dropped: &droppedTables{d}, streams: &streams{deps: d}, scrubs: newScrubs(d), purger: purge.New(purge.Options{}),
	}
	want := map[kalam.JobKind]struct{ name, key string }{
		"FL": {"flush", "flush-7"}, "CO": {"compact", ""}, "CL": {"cleanup", "cleanup-7"},
		"SE": {"stream_eviction", "stream-eviction"},
		"MV": {"move", "move-7"}, "OR": {"orphan_cleanup", "orphans"}, "SC": {"scrub", "scrub"}, "BK": {"backup", "backup-"},
		"VF": {"verify", "verify"},
		"JC": {"job_cleanup", "job-cleanup"},
		"UC": {"user_cleanup", ""},
	}
	for _, jt := range m.jobTypes() {
		key := ""
		if jt.Key != nil {
			key = jt.Key(kalam.Job{Number: 7})
		}
		if w := want[jt.Kind]; jt.Name != w.name || key != w.key {
			t.Errorf("kind %s is %q with the key %q, want %q and %q", jt.Kind, jt.Name, key, w.name, w.key)
		}
		delete(want, jt.Kind)
	}
	if len(want) > 0 {
		t.Errorf("kinds without a type: %v", want)
	}
}
