package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// counterOf names the counter of the notes' ids.
func counterOf(t *kalam.Table, user kalam.UserID) buffer.CounterID {
	return buffer.CounterID{Scope: t.ScopeOf(user), Column: 1}
}

// next takes a value of a counter.
func (f *fixture) next(id buffer.CounterID, floor int64) int64 {
	f.t.Helper()
	n, err := f.store.NextCount(context.Background(), id, floor, 1<<40)
	if err != nil {
		f.t.Fatalf("NextCount: %v", err)
	}
	return n
}

// note inserts a note under an id that counts.
func (f *fixture) note(t *kalam.Table, user kalam.UserID, n int64) error {
	_, err := f.store.Apply(context.Background(), []buffer.Mutation{insert(t, user, n, "x")},
		buffer.Count{ID: counterOf(t, user), Value: n})
	return err
}

// TestCounter takes values, commits some, and opens the Store again (case B6).
func TestCounter(t *testing.T) {
	b := memory.New()
	f := newFixture(t, b, buffer.Options{})
	table := notes(1)
	ann, bob := counterOf(table, "ann"), counterOf(table, "bob")
	for want := int64(1); want <= 3; want++ {
		if got := f.next(ann, 0); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	if got := f.next(bob, 0); got != 1 {
		t.Errorf("bob begins at %d", got)
	}
	if err := f.note(table, "ann", 2); err != nil {
		t.Fatal(err)
	}
	if got := f.next(ann, 0); got != 4 {
		t.Errorf("after the commit of 2: %d, though 3 was given", got)
	}
	f.reopen()
	if got := f.next(ann, 0); got != 3 {
		t.Errorf("opened again: %d, want what follows the committed 2", got)
	}
	if err := f.note(table, "ann", 100); err != nil { // By hand.
		t.Fatal(err)
	}
	if got := f.next(ann, 0); got != 101 {
		t.Errorf("after 100 by hand: %d", got)
	}
	if got := f.next(ann, 500); got != 501 {
		t.Errorf("above 500: %d", got)
	}
	if err := f.note(table, "ann", 7); err != nil {
		t.Fatal(err)
	}
	crashed := openStore(t, b.Clone(), f.lake, buffer.Options{})
	if got, err := crashed.NextCount(t.Context(), ann, 0, 1<<40); err != nil || got != 101 {
		t.Errorf("after a crash: %d, %v", got, err)
	}
	if err := crashed.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.store.NextCount(t.Context(), ann, 0, 501); !errors.Is(err, buffer.ErrCounterSpent) {
		t.Errorf("above the limit: %v", err)
	}
	if got := f.next(ann, 0); got != 502 {
		t.Errorf("a refused value was taken: %d", got)
	}
	if err := f.store.DropTable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if n := len(keysOf(t, b, "sys_counts")); n != 0 {
		t.Errorf("%d counters are left of the table", n)
	}
}

func keysOf(t *testing.T, b buffer.Backend, keyspace string) (keys []string) {
	t.Helper()
	if err := b.Keys(t.Context(), keyspace, nil, nil,
		func(k []byte) error { keys = append(keys, string(k)); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestCounterOfFailedWrites fails commits, written and not written: a value that
// was given is not given again, and the next commit makes the counter durable.
func TestCounterOfFailedWrites(t *testing.T) {
	for _, written := range []bool{false, true} {
		b := &buffertest.Faulty{Backend: memory.New()}
		f := newFixture(t, b, buffer.Options{})
		table := notes(1)
		id := counterOf(table, "ann")
		b.Fail(buffertest.FailAt(0, written, errors.New("no")))
		if err := f.note(table, "ann", f.next(id, 5)); err == nil {
			t.Fatal("the write was to fail")
		}
		b.Fail(nil)
		if err := f.note(table, "bob", 1); err != nil {
			t.Fatal(err)
		}
		n := f.next(id, 0)
		if n != 7 {
			t.Errorf("written %v: %d was given after 6", written, n)
		}
		if err := f.note(table, "ann", n); err != nil {
			t.Fatal(err)
		}
		f.reopen()
		if got := f.next(id, 0); got != 8 {
			t.Errorf("written %v: opened again: %d", written, got)
		}
	}
}

// TestCountersOfAGroup writes from many goroutines to few counters: no value twice,
// none left out, and the durable counter is the highest however commits are grouped.
func TestCountersOfAGroup(t *testing.T) {
	b := memory.New()
	f := newFixture(t, b, buffer.Options{})
	table := notes(1)
	const writers, each = 16, 50
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			user := kalam.UserID(fmt.Sprint("u", w%2))
			for range each {
				n, err := f.store.NextCount(context.Background(), counterOf(table, user), 0, 1<<40)
				if err == nil {
					err = f.note(table, user, n)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	for _, user := range []kalam.UserID{"u0", "u1"} {
		if got := len(f.bodies(table, user)); got != writers*each/2 {
			t.Errorf("%s has %d rows", user, got)
		}
		crashed := openStore(t, b.Clone(), f.lake, buffer.Options{})
		if got, err := crashed.NextCount(t.Context(), counterOf(table, user), 0, 1<<40); err != nil ||
			got != writers*each/2+1 {
			t.Errorf("%s: after a crash %d, %v", user, got, err)
		}
		if err := crashed.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamagedCounter flips every byte of a counter: it is found, and nothing is given.
func TestDamagedCounter(t *testing.T) {
	b := memory.New()
	f := newFixture(t, b, buffer.Options{})
	table := notes(1)
	id := counterOf(table, "ann")
	if err := f.note(table, "ann", 7); err != nil {
		t.Fatal(err)
	}
	key := []byte(keysOf(t, b, "sys_counts")[0])
	raw, err := b.Get(t.Context(), "sys_counts", key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := b.Clone()
		broken := append([]byte(nil), raw...)
		broken[i] ^= 0x10
		if err := buffertest.Put(t.Context(), bad, "sys_counts", key, broken); err != nil {
			t.Fatal(err)
		}
		s := openStore(t, bad, f.lake, buffer.Options{})
		if n, err := s.NextCount(t.Context(), id, 0, 1<<40); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("byte %d: %d, %v", i, n, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
