package buffer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
)

// inFourStates runs a check of the rules of keys with what it finds in the log,
// in the lake, in the lake after a restart, and in the log after a restart.
func inFourStates(t *testing.T, check func(t *testing.T, f *fixture, settle func())) {
	table := notes(1)
	for _, c := range []struct {
		name           string
		flush, restart bool
	}{{"Buffered", false, false}, {"Flushed", true, false}, {"FlushedRestarted", true, true},
		{"BufferedRestarted", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			var f *fixture
			f = newFixture(t, memory.New(), buffer.Options{
				Publish: func(c []kalam.Change) { f.published = append(f.published, c...) },
			})
			check(t, f, func() {
				if c.flush {
					f.flush(table, "ann")
					f.trim(table, "ann")
				}
				if c.restart {
					f.reopen()
				}
			})
		})
	}
}

func TestKeyRules(t *testing.T) {
	table := notes(1)
	inFourStates(t, func(t *testing.T, f *fixture, settle func()) {
		first := f.apply(insert(table, "ann", 1, "one"), insert(table, "ann", 2, "two"))
		settle()

		err := f.refused(kalam.CodeAlreadyExists, insert(table, "ann", 3, "three"), insert(table, "ann", 1, "again"))
		var dup *buffer.DuplicateKeyError
		if !errors.As(err, &dup) || dup.Index != 1 {
			t.Errorf("Apply = %v, want a DuplicateKeyError of row 1", err)
		}
		f.want(table, "ann", map[int64]string{1: "one", 2: "two"})

		skip := insert(table, "ann", 1, "skipped")
		skip.SkipExisting = true
		seqs := f.apply(skip, insert(table, "ann", 3, "three"))
		if seqs[0] != 0 || seqs[1] == 0 {
			t.Errorf("seqs = %v, want 0 for the skipped row only", seqs)
		}
		settle()

		f.refused(kalam.CodeConflict, update(table, "ann", 1, "stale", first[0]+1))
		f.refused(kalam.CodeConflict, update(table, "ann", 9, "missing", first[0]))
		second := f.apply(update(table, "ann", 1, "uno", first[0]))
		f.refused(kalam.CodeConflict, update(table, "ann", 1, "stale", first[0]))
		settle()

		f.apply(remove(table, "ann", 1, "uno", second[0]))
		f.wantNone(table, "ann", 1)
		f.refused(kalam.CodeConflict, remove(table, "ann", 1, "uno", second[0]))
		settle()

		f.want(table, "ann", map[int64]string{2: "two", 3: "three"})
		f.apply(insert(table, "ann", 1, "reborn"))
		settle()
		f.want(table, "ann", map[int64]string{1: "reborn", 2: "two", 3: "three"})
	})
}

func TestTransactionsOwnWrites(t *testing.T) {
	table := notes(1)
	inFourStates(t, func(t *testing.T, f *fixture, settle func()) {
		seqs := f.apply(insert(table, "ann", 1, "one"))
		settle()
		got := f.apply(
			update(table, "ann", 1, "a", seqs[0]),
			own(update(table, "ann", 1, "b", 0)),
			own(remove(table, "ann", 1, "b", 0)),
			own(insert(table, "ann", 1, "c")),
			insert(table, "ann", 2, "x"),
			own(remove(table, "ann", 2, "x", 0)),
		)
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Errorf("seqs %v do not rise", got)
			}
		}
		settle()
		f.want(table, "ann", map[int64]string{1: "c"})
		f.wantNone(table, "ann", 2)

		f.refused(kalam.CodeConflict, own(update(table, "ann", 1, "d", 0)))
		f.refused(kalam.CodeAlreadyExists, insert(table, "ann", 3, "x"), own(insert(table, "ann", 3, "y")))
		f.refused(kalam.CodeConflict, insert(table, "ann", 3, "x"), own(remove(table, "ann", 3, "x", 0)),
			own(update(table, "ann", 3, "y", 0)))
		f.want(table, "ann", map[int64]string{1: "c"})
	})
}

func TestScopesAreDisjoint(t *testing.T) {
	a, b := notes(1), notes(2)
	f := newFixture(t, memory.New(), buffer.Options{})
	users := []kalam.UserID{"", "a", "aa", "a\x00", "b"}
	for _, user := range users {
		f.apply(insert(a, user, 1, "a/"+string(user)), insert(b, user, 1, "b/"+string(user)))
	}
	for _, state := range []string{"buffered", "flushed", "restarted"} {
		for _, user := range users {
			f.want(a, user, map[int64]string{1: "a/" + string(user)})
			f.want(b, user, map[int64]string{1: "b/" + string(user)})
			if state == "buffered" {
				f.flush(a, user)
				f.trim(a, user)
			}
		}
		if state == "flushed" {
			f.reopen()
		}
	}
}

func TestApplyChecksItsArguments(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	other := insert(table, "ann", 1, "x")
	other.Scope.Table = 7
	noKey := insert(table, "ann", 1, "x")
	noKey.Key = nil
	noKind := insert(table, "ann", 1, "x")
	noKind.Kind = 0
	for _, m := range []buffer.Mutation{other, noKey, noKind, {}} {
		f.refused(kalam.CodeInternal, m)
	}
	if seqs := f.apply(); seqs != nil {
		t.Errorf("Apply of nothing = %v, want nil", seqs)
	}
	f.want(table, "ann", map[int64]string{})
}

// TestRefusedRequestLeavesNothing refuses a request after some of its blocks were
// closed: none of them may get into the log.
func TestRefusedRequestLeavesNothing(t *testing.T) {
	table := notes(1)
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"))
	large := strings.Repeat("l", 300<<10)
	f.refused(kalam.CodeAlreadyExists, insert(table, "ann", 2, large), insert(table, "ann", 3, large),
		insert(table, "ann", 1, "y"))
	if n := logKeys(t, disk); n != 1 {
		t.Errorf("%d blocks, want 1", n)
	}
	f.apply(insert(table, "ann", 2, large), insert(table, "ann", 3, large), insert(table, "ann", 4, "small"))
	want := map[int64]string{1: "x", 2: large, 3: large, 4: "small"}
	f.want(table, "ann", want)
	f.reopen()
	f.want(table, "ann", want)
}

// TestOneInsertWins inserts one key from many writers: exactly one succeeds,
// whether the row is in the log or was flushed in between.
func TestOneInsertWins(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	const keys, writers = 20, 8
	for id := range int64(keys) {
		var wg sync.WaitGroup
		var won, lost [writers]bool
		for w := range writers {
			wg.Go(func() {
				_, err := f.store.Apply(context.Background(),
					[]buffer.Mutation{insert(table, "ann", id, fmt.Sprint(w))})
				won[w], lost[w] = err == nil, kalam.CodeOf(err) == kalam.CodeAlreadyExists
			})
		}
		wg.Go(func() {
			if _, err := f.lake.flush(context.Background(), f.store, table, "ann"); err != nil {
				t.Errorf("flush: %v", err)
			}
		})
		wg.Wait()
		winners := map[string]bool{}
		for w := range writers {
			if won[w] {
				winners[fmt.Sprint(w)] = true
			} else if !lost[w] {
				t.Errorf("writer %d neither won nor found the key taken", w)
			}
		}
		if got, _ := f.get(table, "ann", id); len(winners) != 1 || !winners[got.Body] {
			t.Errorf("key %d: row %q, winners %v, want one", id, got.Body, winners)
		}
	}
}

// TestCountersUnderContention increments one row from many writers.
func TestCountersUnderContention(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(table, "ann", 1, ""))
	const writers, times = 6, 30
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := 0; n < times; {
				old, _ := f.get(table, "ann", 1)
				_, err := f.store.Apply(context.Background(),
					[]buffer.Mutation{update(table, "ann", 1, old.Body+"+", old.Seq)})
				switch {
				case err == nil:
					n++
				case kalam.CodeOf(err) != kalam.CodeConflict:
					t.Errorf("Apply: %v", err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if _, err := f.lake.flush(context.Background(), f.store, table, "ann"); err != nil {
				t.Errorf("flush: %v", err)
			}
		}
	})
	wg.Wait()
	if got, _ := f.get(table, "ann", 1); len(got.Body) != writers*times {
		t.Errorf("the row counts %d updates, want %d", len(got.Body), writers*times)
	}
}

func TestChangesFollowCommits(t *testing.T) {
	table := notes(1)
	var got []kalam.Change
	f := newFixture(t, memory.New(), buffer.Options{
		Publish:    func(c []kalam.Change) { got = append(got, c...) },
		Interested: func(sc kalam.Scope) bool { return sc.User == "ann" },
	})
	s1 := f.apply(insert(table, "ann", 1, "a"), insert(table, "bob", 1, "x"))
	s2 := f.apply(update(table, "ann", 1, "b", s1[0]))
	f.flush(table, "ann")
	gone := remove(table, "ann", 1, "b", s2[0])
	gone.Old = kalam.Row{Seq: s2[0], Payload: payloadOf(table, 1, "b")}
	s3 := f.apply(gone)
	f.refused(kalam.CodeConflict, update(table, "ann", 1, "c", s2[0]))
	skip := insert(table, "ann", 2, "z")
	s4 := f.apply(skip)
	skip.SkipExisting = true
	f.apply(skip)

	scope := table.ScopeOf("ann")
	a := kalam.Row{Seq: s1[0], Payload: payloadOf(table, 1, "a")}
	b := kalam.Row{Seq: s2[0], Payload: payloadOf(table, 1, "b")}
	want := []kalam.Change{
		{Scope: scope, Kind: kalam.ChangeInsert, New: a},
		{Scope: scope, Kind: kalam.ChangeUpdate, New: b, Old: a},
		{Scope: scope, Kind: kalam.ChangeDelete, New: kalam.Row{Seq: s3[0], Deleted: true, Payload: b.Payload}, Old: b},
		{Scope: scope, Kind: kalam.ChangeInsert, New: kalam.Row{Seq: s4[0], Payload: payloadOf(table, 2, "z")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestOneChangePerRow publishes of a commit what it did to each row as a whole
// (case A9): no state that nobody could have read.
func TestOneChangePerRow(t *testing.T) {
	table := notes(1)
	inFourStates(t, func(t *testing.T, f *fixture, settle func()) {
		s := f.apply(insert(table, "ann", 1, "a"), insert(table, "ann", 2, "b"), insert(table, "ann", 3, "c"))
		settle()
		withOld := func(m buffer.Mutation, id int64, body string, seq kalam.Seq) buffer.Mutation {
			m.Old = kalam.Row{Seq: seq, Payload: payloadOf(table, id, body)}
			return m
		}
		f.published = nil
		at := f.apply(
			insert(table, "ann", 4, "d"), own(update(table, "ann", 4, "dd", 0)),
			insert(table, "ann", 5, "e"), own(remove(table, "ann", 5, "e", 0)),
			withOld(update(table, "ann", 1, "aa", s[0]), 1, "a", s[0]), own(update(table, "ann", 1, "aaa", 0)),
			withOld(update(table, "ann", 2, "bb", s[1]), 2, "b", s[1]), own(remove(table, "ann", 2, "bb", 0)),
			withOld(remove(table, "ann", 3, "c", s[2]), 3, "c", s[2]), own(insert(table, "ann", 3, "cc")),
		)
		got := map[int64]string{}
		last := kalam.Seq(0)
		for _, c := range f.published {
			id, body := decode(t, table, c.New.Payload)
			text := fmt.Sprintf("%v %s", c.Kind, body)
			if c.Old.Payload != nil {
				_, old := decode(t, table, c.Old.Payload)
				text += " from " + old
			}
			if got[id] != "" || c.New.Seq <= last || c.New.Seq > at[len(at)-1] {
				t.Errorf("change %d of row %d after %q, seq %d", c.New.Seq, id, got[id], last)
			}
			got[id], last = text, c.New.Seq
		}
		want := map[int64]string{1: "update aaa from a", 2: "delete bb from b", 3: "update cc from c", 4: "insert dd"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestInterestIsAskedLate asks who listens when the commit is visible: whoever
// begins to listen and then takes a snapshot must get the commit one way or the
// other.
func TestInterestIsAskedLate(t *testing.T) {
	table := notes(1)
	var f *fixture
	commits, asked := 0, 0
	f = newFixture(t, memory.New(), buffer.Options{
		Publish: func([]kalam.Change) {},
		Interested: func(sc kalam.Scope) bool {
			asked++
			snap := f.snapshot(table, sc.User)
			defer snap.Release()
			if n := snap.View(0).BufferedRows(); n != commits+1 {
				t.Errorf("commit %d: asked when %d were visible", commits+1, n)
			}
			return true
		},
	})
	for i := range int64(5) {
		f.apply(insert(table, "ann", i, "x"))
		commits++
	}
	if asked != commits {
		t.Errorf("asked %d times for %d commits", asked, commits)
	}
}

// TestPublishAfterVisible takes a snapshot for every change that is published:
// it must show it.
func TestPublishAfterVisible(t *testing.T) {
	table := notes(1)
	changes := make(chan kalam.Change, 1000)
	var last kalam.Seq
	f := newFixture(t, memory.New(), buffer.Options{Publish: func(list []kalam.Change) {
		for _, c := range list {
			if c.New.Seq <= last {
				t.Errorf("change %d published after %d", c.New.Seq, last)
			}
			last = c.New.Seq
			changes <- c
		}
	}})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range int64(50) {
				f.apply(insert(table, "ann", int64(w)*1000+i, "x"))
			}
		})
	}
	wg.Go(func() {
		for range 200 {
			c := <-changes
			snap := f.snapshot(table, "ann")
			if snap.Seq() < c.New.Seq {
				t.Errorf("snapshot at %d after change %d", snap.Seq(), c.New.Seq)
			}
			id, _ := decode(t, table, c.New.Payload)
			if _, ok, err := snap.View(0).Get(context.Background(), keyOf(table, id)); !ok || err != nil {
				t.Errorf("published row %d does not show: %v, %v", id, ok, err)
			}
			snap.Release()
		}
	})
	wg.Wait()
}

func TestClosedStore(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	f.apply(insert(table, "ann", 1, "x"))
	if err := f.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	f.refused(kalam.CodeShuttingDown, insert(table, "ann", 2, "x"))
	if err := f.store.Close(); err != nil {
		t.Errorf("Close twice: %v", err)
	}
	f.store = nil
}

func TestStatsAreCounted(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{})
	seqs := f.apply(insert(table, "bob", 1, "one"))
	first := seqs[0]
	f.apply(insert(table, "ann", 1, "one"), insert(table, "ann", 2, "two"))
	f.apply(update(table, "bob", 1, "uno", first))
	check := func(users map[kalam.UserID]int64, oldest kalam.Seq) {
		t.Helper()
		got := map[kalam.UserID]int64{}
		var total int64
		for _, st := range f.store.Dirty(1) {
			got[st.Scope.User] = st.Rows
			total += st.Rows
		}
		if diff := cmp.Diff(users, got); diff != "" {
			t.Errorf("Dirty (-want +got):\n%s", diff)
		}
		rows, bytes, old := f.store.TableStats(1)
		if rows != total || (bytes > 0) != (total > 0) || old != oldest {
			t.Errorf("TableStats = %d, %d, %d, want %d rows from %d on", rows, bytes, old, total, oldest)
		}
		if st := f.store.Stats(); st.Buffered != total || st.Bytes != bytes {
			t.Errorf("Stats = %+v, want %d buffered", st, total)
		}
	}
	check(map[kalam.UserID]int64{"ann": 2, "bob": 2}, first)
	f.reopen()
	check(map[kalam.UserID]int64{"ann": 2, "bob": 2}, first)
	f.flush(table, "bob")
	oldest := f.rows(table, "ann")[1].Seq
	check(map[kalam.UserID]int64{"ann": 2}, oldest)
	f.reopen()
	check(map[kalam.UserID]int64{"ann": 2}, oldest)
	f.flush(table, "ann")
	check(map[kalam.UserID]int64{}, 0)
	if st := f.store.Stats(); st.Scopes != 1 {
		t.Errorf("Stats().Scopes = %d, want only the one in use since the start", st.Scopes)
	}
}

// TestFullBufferWaits lets writers wait for room, and fail when none comes.
func TestFullBufferWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := notes(1)
		f := newFixture(t, memory.New(), buffer.Options{MaxBytes: 10})
		f.apply(insert(table, "ann", 1, "0123456789"))
		f.refused(kalam.CodeResourceExhausted, insert(table, "ann", 2, "x"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.store.Apply(ctx, []buffer.Mutation{insert(table, "ann", 2, "x")}); !errors.Is(err,
			context.Canceled) {
			t.Errorf("Apply with a canceled context = %v", err)
		}
		done := make(chan error)
		go func() {
			_, err := f.store.Apply(t.Context(), []buffer.Mutation{insert(table, "ann", 2, "x")})
			done <- err
		}()
		synctest.Wait()
		f.flush(table, "ann")
		if err := <-done; err != nil {
			t.Errorf("Apply after a flush gave room: %v", err)
		}
		f.want(table, "ann", map[int64]string{1: "0123456789", 2: "x"})
	})
}

// TestScopesLeaveMemory keeps few scopes in memory and uses many.
func TestScopesLeaveMemory(t *testing.T) {
	table := notes(1)
	f := newFixture(t, memory.New(), buffer.Options{HotBytes: 20_000})
	const users = 200
	for round := range int64(3) {
		for u := range users {
			user := kalam.UserID(fmt.Sprint(u))
			f.apply(insert(table, user, round, fmt.Sprint(u)))
			f.rows(table, user)
		}
	}
	if n := f.store.Stats().Scopes; n > 20 {
		t.Errorf("%d scopes in memory", n)
	}
	for u := range users {
		s := fmt.Sprint(u)
		f.want(table, kalam.UserID(s), map[int64]string{0: s, 1: s, 2: s})
	}
}
