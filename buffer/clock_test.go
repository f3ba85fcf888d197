package buffer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestSeqIsMonotonic commits and draws ids across restarts, crashes and steps of
// the wall clock: nothing is given out twice, and everything rises.
func TestSeqIsMonotonic(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	clock := &steppingClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	f := newFixture(t, disk, buffer.Options{Now: clock.Now})
	var last kalam.Seq
	next := func(what string, seq kalam.Seq) {
		t.Helper()
		if seq <= last {
			t.Errorf("%s: %d after %d", what, seq, last)
		}
		last = seq
	}
	id := int64(0)
	use := func() {
		t.Helper()
		for range 3 {
			for range 3 {
				n, err := f.store.NextID()
				if err != nil {
					t.Fatalf("NextID: %v", err)
				}
				next("id", n)
			}
			id++
			next("seq", f.apply(insert(table, "ann", id, "x"))[0])
		}
	}
	use()
	for i, step := range []time.Duration{0, time.Hour, -2 * time.Hour, time.Millisecond, -time.Second, 10 * time.Second,
		-24 * time.Hour} {
		clock.step(step)
		use()
		if i%2 == 0 {
			f.reopen()
		} else { // A crash: the next process finds the disk as it is.
			copied := disk.Clone()
			if err := f.store.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			disk, f.backend = copied, copied
			f.store = openStore(t, copied, f.lake, f.opts)
		}
		use()
	}
	f.flush(table, "ann")
	f.trim(table, "ann")
	clock.step(-time.Hour)
	f.reopen()
	use()
}

// TestIDsSurviveACrash draws ids only, so many that they run ahead, and crashes.
func TestIDsSurviveACrash(t *testing.T) {
	disk := memory.New()
	clock := &steppingClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	seen := map[kalam.Seq]bool{}
	lake := newLake()
	for crash := range 4 {
		copied := disk.Clone()
		s := openStore(t, copied, lake, buffer.Options{Now: clock.Now, Worker: crash % 2})
		for range 20_000 {
			n, err := s.NextID()
			if err != nil {
				t.Fatalf("NextID: %v", err)
			}
			if seen[n] {
				t.Fatalf("id %d after crash %d is given out twice", n, crash)
			}
			seen[n] = true
		}
		disk = copied.Clone()
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

// TestIDsAreCheap draws ids without a batch for each.
func TestIDsAreCheap(t *testing.T) {
	clock := &steppingClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	f := newFixture(t, memory.New(), buffer.Options{Now: clock.Now})
	for range 10_000 {
		if _, err := f.store.NextID(); err != nil {
			t.Fatalf("NextID: %v", err)
		}
	}
	if n := f.store.Stats().Groups; n > 2 {
		t.Errorf("%d batches for 10,000 ids", n)
	}
}

// TestClockRunsLittleAhead crashes many times: each start is ahead of the wall
// clock by at most the lead.
func TestClockRunsLittleAhead(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	clock := &steppingClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	lake := newLake()
	for crash := range 20 {
		s := openStore(t, disk, lake, buffer.Options{Now: clock.Now})
		f := &fixture{t: t, store: s, lake: lake}
		seq := f.apply(insert(table, "ann", int64(crash), fmt.Sprint(crash)))[0]
		if ahead := seq.Time().Sub(clock.Now()); ahead > 2*time.Second {
			t.Errorf("crash %d: seqs are %v ahead of the clock", crash, ahead)
		}
		copied := disk.Clone()
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		disk = copied
		clock.step(time.Second)
	}
}
