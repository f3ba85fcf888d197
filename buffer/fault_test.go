package buffer_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// content is what a store holds: the bodies of each user's rows.
type content map[kalam.UserID]map[int64]string

// step is one operation of a scenario, with what it does to the content.
type step struct {
	name string
	do   func(f *fixture) error
	then func(c content)
}

// faultScenario writes, flushes, trims, evicts and drops in one table each way.
func faultScenario() (*kalam.Table, []kalam.UserID, []step) {
	table := notes(1)
	ann, bob := kalam.UserID("ann"), kalam.UserID("bob")
	users := []kalam.UserID{ann, bob}
	var wide []buffer.Mutation
	for i := range 10 {
		u := kalam.UserID(fmt.Sprint("wide", i))
		users = append(users, u)
		wide = append(wide, insert(table, u, 1, "w"))
	}
	seq := func(f *fixture, u kalam.UserID, id int64) kalam.Seq {
		r, _ := f.get(table, u, id)
		return r.Seq
	}
	apply := func(f *fixture, muts ...buffer.Mutation) error {
		_, err := f.store.Apply(context.Background(), muts)
		return err
	}
	flush := func(u kalam.UserID) func(*fixture) error {
		return func(f *fixture) error {
			_, err := f.lake.flush(context.Background(), f.store, table, u)
			return err
		}
	}
	trim := func(u kalam.UserID) func(*fixture) error {
		return func(f *fixture) error {
			_, err := f.store.Trim(context.Background(), table.ScopeOf(u))
			return err
		}
	}
	together := users[:4] // As many as one batch takes.
	flushAll := func(f *fixture) error {
		for _, o := range f.flushTogether(table, together) {
			if o.Err != nil {
				return o.Err
			}
		}
		return nil
	}
	trimAll := func(f *fixture) error {
		var scopes []kalam.Scope
		for _, u := range together {
			scopes = append(scopes, table.ScopeOf(u))
		}
		_, err := f.store.TrimAll(context.Background(), scopes)
		return err
	}
	nothing := func(content) {}
	return table, users, []step{
		{"insert", func(f *fixture) error { return apply(f, insert(table, ann, 1, "a"), insert(table, bob, 1, "b")) },
			func(c content) { c[ann][1], c[bob][1] = "a", "b" }},
		{"flush ann", flush(ann), nothing},
		{"update flushed", func(f *fixture) error {
			return apply(f, update(table, ann, 1, "aa", seq(f, ann, 1)), insert(table, ann, 2, "n"))
		},
			func(c content) { c[ann][1], c[ann][2] = "aa", "n" }},
		{"trim ann", trim(ann), nothing},
		{"delete", func(f *fixture) error { return apply(f, remove(table, ann, 2, "n", seq(f, ann, 2))) },
			func(c content) { delete(c[ann], 2) }},
		{"wide", func(f *fixture) error { return apply(f, wide...) },
			func(c content) {
				for i := range wide {
					c[wide[i].Scope.User][1] = "w"
				}
			}},
		{"flush ann again", flush(ann), nothing},
		{"trim ann again", trim(ann), nothing},
		{"insert again", func(f *fixture) error { return apply(f, insert(table, ann, 2, "back")) },
			func(c content) { c[ann][2] = "back" }},
		{"evict bob", func(f *fixture) error {
			_, err := f.store.EvictBefore(context.Background(), table, table.ScopeOf(bob), f.store.Clock().Next())
			return err
		}, func(c content) { delete(c[bob], 1) }},
		{"insert bob", func(f *fixture) error { return apply(f, insert(table, bob, 1, "later")) },
			func(c content) { c[bob][1] = "later" }},
		{"flush together", flushAll, nothing},
		{"trim together", trimAll, nothing},
		{"update flushed together", func(f *fixture) error {
			var muts []buffer.Mutation
			for _, u := range together {
				muts = append(muts, update(table, u, 1, "all", seq(f, u, 1)))
			}
			return apply(f, muts...)
		}, func(c content) {
			for _, u := range together {
				c[u][1] = "all"
			}
		}},
		{"flush together again", flushAll, nothing},
	}
}

func emptyContent(users []kalam.UserID) content {
	c := content{}
	for _, u := range users {
		c[u] = map[int64]string{}
	}
	return c
}

func (c content) clone() content {
	out := content{}
	for u, rows := range c {
		out[u] = maps.Clone(rows)
	}
	return out
}

func contentOf(f *fixture, table *kalam.Table, users []kalam.UserID) content {
	c := content{}
	for _, u := range users {
		c[u] = f.bodies(table, u)
	}
	return c
}

// TestFaults fails every batch of a scenario, once without and once with the
// batch on the disk. The operation that meets it must have no effect, it must
// work when it is tried again, and a restart from the disk as it was at the
// failure must find the operation as a whole or not at all.
func TestFaults(t *testing.T) {
	for _, written := range []bool{false, true} {
		for n := 0; ; n++ {
			met := false
			t.Run(fmt.Sprintf("batch=%d,written=%v", n, written),
				func(t *testing.T) { met = runWithFault(t, n, written) })
			if !met {
				break
			}
			if n > 100 {
				t.Fatal("the scenario has no end")
			}
		}
	}
}

// runWithFault runs the scenario with batch n failing and reports whether there
// was one.
func runWithFault(t *testing.T, n int, written bool) (met bool) {
	table, users, steps := faultScenario()
	disk := memory.New()
	faulty := &buffertest.Faulty{Backend: disk, Limits: smallBatches}
	f := newFixture(t, faulty, buffer.Options{HotBytes: 1})
	want := emptyContent(users)
	faulty.Fail(buffertest.FailAt(n, written, buffertest.DiskFull()))
	for _, s := range steps {
		after := want.clone()
		s.then(after)
		manifests := manifestsOf(t, f.store, table, users)
		err := s.do(f)
		if err != nil && kalam.CodeOf(err) != kalam.CodeResourceExhausted {
			t.Fatalf("%s: %v", s.name, err)
		}
		if err != nil {
			met = true
			checkCrash(t, f.lake, disk.Clone(), table, users, s.name, want, after)
			got := contentOf(f, table, users)
			if s.name != "evict bob" || !cmp.Equal(after, got) { // Its rows go with the first of its batches.
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("after the failure of %s (-want +got):\n%s", s.name, diff)
				}
			}
			faulty.Fail(nil)
			f.apply(insert(table, "other", int64(n), "repairs what the failure left"))
			fresh := openStore(t, disk.Clone(), f.lake, buffer.Options{})
			if diff := cmp.Diff(manifests, manifestsOf(t, fresh, table, users)); s.name != "evict bob" && diff != "" {
				t.Errorf("manifests after the failure of %s was repaired (-want +got):\n%s", s.name, diff)
			}
			if err := fresh.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if err := s.do(f); err != nil {
				t.Fatalf("%s, tried again: %v", s.name, err)
			}
		}
		want = after
		if diff := cmp.Diff(want, contentOf(f, table, users)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", s.name, diff)
		}
	}
	faulty.Fail(nil)
	f.reopen()
	if diff := cmp.Diff(want, contentOf(f, table, users)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	return met
}

// manifestsOf returns the versions of the users' records.
func manifestsOf(t *testing.T, s *buffer.Store, table *kalam.Table, users []kalam.UserID) map[kalam.UserID]uint64 {
	t.Helper()
	out := map[kalam.UserID]uint64{}
	for _, u := range users {
		m, err := s.ScopeRecord(context.Background(), table.ScopeOf(u))
		if err != nil {
			t.Fatalf("Manifest: %v", err)
		}
		out[u] = m.Version
	}
	return out
}

// checkCrash opens a disk as it was when an operation failed.
func checkCrash(t *testing.T, lake *lakeFake, disk *memory.Backend, table *kalam.Table, users []kalam.UserID,
	name string, before, after content) {
	t.Helper()
	f := &fixture{t: t, backend: disk, lake: lake}
	f.store = openStore(t, disk, lake, buffer.Options{})
	defer func() {
		if err := f.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	got := contentOf(f, table, users)
	if !cmp.Equal(before, got) && !cmp.Equal(after, got) {
		t.Errorf("a restart after the failure of %s finds neither the state before (-want +got):\n%s\nnor that "+
			"after:\n%s",
			name, cmp.Diff(before, got), cmp.Diff(after, got))
	}
	// What is there works.
	f.apply(insert(table, "ann", 100, "x"))
	f.flush(table, "ann")
	f.trim(table, "ann")
	f.wantGet(table, "ann", 100, "x")
}

// TestFailureSparesNobody commits two requests in one group whose batch fails:
// both fail, and a request that was refused for the other's key learns of the
// failure and not of the key.
func TestFailureSparesNobody(t *testing.T) {
	table := notes(1)
	faulty := &buffertest.Faulty{Backend: memory.New()}
	block := newGate()
	f := newFixture(t, &gated{Backend: faulty, gate: block}, buffer.Options{})
	first := f.start(insert(table, "ann", 1, "x"))
	block.waitEntered(t)
	faulty.Fail(buffertest.FailAt(1, false, buffertest.DiskFull()))
	second := f.start(insert(table, "ann", 2, "first of the group"))
	f.waitQueued(t, 1)
	third := f.start(insert(table, "ann", 2, "second of the group"))
	f.waitQueued(t, 2)
	block.open()
	if err := <-first; err != nil {
		t.Errorf("the group before: %v", err)
	}
	for _, c := range []chan error{second, third} {
		if err := <-c; kalam.CodeOf(err) != kalam.CodeResourceExhausted {
			t.Errorf("a request of the group = %v, want CodeResourceExhausted", err)
		}
	}
	faulty.Fail(nil)
	f.apply(insert(table, "ann", 2, "later"))
	f.want(table, "ann", map[int64]string{1: "x", 2: "later"})
}

// TestDiskStaysFull writes to a full disk for long: nothing piles up, deletes
// included, and writing goes on when there is room.
func TestDiskStaysFull(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	faulty := &buffertest.Faulty{Backend: disk}
	f := newFixture(t, faulty, buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"))
	largest := 0
	faulty.Fail(func(_ int, ops []buffer.Op) (bool, error) {
		largest = max(largest, len(ops))
		return false, buffertest.DiskFull()
	})
	for i := range int64(50) {
		f.refused(kalam.CodeResourceExhausted, insert(table, kalam.UserID(fmt.Sprint(i)), 2, "y"))
	}
	if largest > 3 {
		t.Errorf("a batch has %d ops", largest)
	}
	f.want(table, "ann", map[int64]string{1: "x"})
	faulty.Fail(nil)
	f.apply(insert(table, "ann", 2, "y"))
	f.want(table, "ann", map[int64]string{1: "x", 2: "y"})
}
