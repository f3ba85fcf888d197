package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
)

// world is a log on a real backend, with a clock that the test moves.
type world struct {
	t   *testing.T
	b   buffer.Backend
	log *audit.Log
	now time.Time
	cfg audit.Config
}

func newWorld(t *testing.T, cfg audit.Config) *world {
	t.Helper()
	b, err := badger.Open(t.TempDir(), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, b: b, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), cfg: cfg}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.log, err = audit.Open(w.t.Context(), w.b, audit.Options{Config: w.cfg, Now: func() time.Time { return w.now }})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) append(n int) {
	w.t.Helper()
	for i := range n {
		if err := w.log.Append(w.t.Context(), audit.Event{Action: "CREATE TABLE", Outcome: audit.OK, Target: fmt.Sprint("app.t", i)}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) records() (out []audit.Record) {
	w.t.Helper()
	err := audit.Scan(w.t.Context(), w.b, 0, func(r audit.Record) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) verify() (problems []string) {
	w.t.Helper()
	if _, err := audit.Verify(w.t.Context(), w.b, func(err error) { problems = append(problems, err.Error()) }); err != nil {
		w.t.Fatal(err)
	}
	return problems
}

func (w *world) apply(ops ...buffer.Op) {
	w.t.Helper()
	if err := w.b.Apply(w.t.Context(), ops); err != nil {
		w.t.Fatal(err)
	}
}

func key(n byte) []byte { return append([]byte("record/"), 0, 0, 0, 0, 0, 0, 0, n) }

func (w *world) value(key []byte) []byte {
	w.t.Helper()
	v, err := w.b.Get(w.t.Context(), audit.Keyspace, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestChain reads what was written, across a reopen, in one unbroken chain.
func TestChain(t *testing.T) {
	w := newWorld(t, audit.DefaultConfig())
	w.append(3)
	w.open()
	w.append(2)
	rs := w.records()
	if len(rs) != 5 || rs[4].Number != 5 || rs[4].Target != "app.t1" || !rs[0].Time.Equal(w.now) {
		t.Errorf("got %+v", rs)
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
}

// TestTampering finds what was done to the records, each at every place.
func TestTampering(t *testing.T) {
	put := func(k, v []byte) buffer.Op { return buffer.Op{Keyspace: audit.Keyspace, Key: k, Value: v} }
	drop := func(k []byte) buffer.Op { return buffer.Op{Keyspace: audit.Keyspace, Key: k, Delete: true} }
	for n := byte(1); n <= 6; n++ {
		other := n%6 + 1
		for _, c := range []struct {
			name string
			do   func(*world)
			want string
		}{
			{"drop", func(w *world) { w.apply(drop(key(n))) }, "audit"},
			{"swap", func(w *world) {
				a, b := w.value(key(n)), w.value(key(other))
				w.apply(put(key(n), b), put(key(other), a))
			}, fmt.Sprintf("audit record %d was changed or moved", min(n, other))},
			{"rewrite", func(w *world) {
				v := w.value(key(n))
				w.apply(put(key(n), []byte(strings.Replace(string(v), "app.t", "app.x", 1))))
			}, fmt.Sprintf("audit record %d was changed or moved", n)},
			{"cut", func(w *world) { w.apply(put(key(n), w.value(key(n))[:20])) }, fmt.Sprintf("audit record %d is damaged", n)},
			{"copy", func(w *world) { w.apply(put(key(7), w.value(key(n)))) }, "audit record 7 was changed or moved"},
		} {
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				w := newWorld(t, audit.DefaultConfig())
				w.append(6)
				c.do(w)
				if p := strings.Join(w.verify(), "\n"); !strings.Contains(p, c.want) {
					t.Errorf("got problems %q, want %q", p, c.want)
				}
				w.open() // It goes on, and what was done stays to be seen.
				w.append(3)
				recorded := slices.ContainsFunc(w.records(), func(r audit.Record) bool { return r.Action == audit.ActionDamage })
				if w.verify() == nil && !recorded {
					t.Error("after a restart nothing is wrong any more")
				}
			})
		}
	}
}

// TestFlippedBytes flips every byte of two records and of the ends of the log, one after the other.
func TestFlippedBytes(t *testing.T) {
	w := newWorld(t, audit.DefaultConfig())
	w.append(3)
	for _, k := range [][]byte{key(2), key(3), []byte("chain")} {
		good := w.value(k)
		for i := range good {
			if string(k) == "chain" && i >= len(good)-8 {
				break // The size: no part of the chain.
			}
			bad := append([]byte{}, good...)
			bad[i] ^= 1
			w.apply(buffer.Op{Keyspace: audit.Keyspace, Key: k, Value: bad})
			if w.verify() == nil {
				t.Errorf("%q: byte %d is another, and nothing is wrong", k, i)
			}
		}
		w.apply(buffer.Op{Keyspace: audit.Keyspace, Key: k, Value: good})
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
}

// TestDamageIsRecorded opens a log whose last record, or whose ends, are gone.
func TestDamageIsRecorded(t *testing.T) {
	for _, k := range [][]byte{key(4), []byte("chain")} {
		w := newWorld(t, audit.DefaultConfig())
		w.append(4)
		w.apply(buffer.Op{Keyspace: audit.Keyspace, Key: k, Delete: true})
		w.open()
		rs := w.records()
		if last := rs[len(rs)-1]; last.Action != audit.ActionDamage || last.Number != 5 {
			t.Errorf("without %q: got %+v", k, last)
		}
	}
}

// TestNewerFormat refuses what a newer program wrote, by name.
func TestNewerFormat(t *testing.T) {
	for _, k := range [][]byte{key(2), []byte("chain")} {
		w := newWorld(t, audit.DefaultConfig())
		w.append(2)
		v := w.value(k)
		v[0]++
		w.apply(buffer.Op{Keyspace: audit.Keyspace, Key: k, Value: v})
		_, err := audit.Open(t.Context(), w.b, audit.Options{})
		if kalam.CodeOf(err) != kalam.CodeUnsupported || !strings.Contains(err.Error(), "newer kalam") {
			t.Errorf("%q: got %v", k, err)
		}
	}
}

// TestRetention removes records by age and by size; the chain goes on where they ended.
func TestRetention(t *testing.T) {
	w := newWorld(t, audit.Config{RetentionDays: 10, MaxBytes: 1 << 30})
	w.append(1200)
	w.now = w.now.AddDate(0, 0, 9)
	w.append(10)
	w.now = w.now.AddDate(0, 0, 2)
	if err := w.log.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	rs := w.records()
	if rs[0].Number != 1201 || rs[len(rs)-1].Action != audit.ActionRetention || len(rs) != 13 {
		t.Errorf("%d records are left, the first is %+v", len(rs), rs[0])
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
	w.cfg = audit.Config{MaxBytes: 4000}
	w.open()
	w.append(50)
	if err := w.log.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.log.Stats().Bytes; n > 4000 || n < 2000 {
		t.Errorf("%d bytes are left of 4000", n)
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
	w.apply(buffer.Op{Keyspace: audit.Keyspace, Key: key(0), Value: w.value([]byte("chain"))})
	if w.verify() == nil {
		t.Error("an older record is there again, and nothing is wrong")
	}
}

// TestStatement writes the record with the first commit, once, and with none if that fails.
func TestStatement(t *testing.T) {
	w := newWorld(t, audit.DefaultConfig())
	if err := w.b.CreateKeyspace(t.Context(), "sys_catalog"); err != nil {
		t.Fatal(err)
	}
	s := w.log.Begin(audit.Event{Action: "CREATE USER", Subject: "ann"})
	ctx := s.With(t.Context())
	ops := []buffer.Op{{Keyspace: "sys_catalog", Key: []byte("user/ann"), Value: []byte("x")}}
	too := []buffer.Op{{Keyspace: "nowhere", Key: []byte("a"), Value: []byte("x")}}
	if err := w.log.Backend().Apply(ctx, too); err == nil {
		t.Fatal("a write to no keyspace succeeded")
	}
	if rs := w.records(); len(rs) != 0 {
		t.Fatalf("a commit that failed has a record: %+v", rs)
	}
	for range 3 {
		if err := w.log.Backend().Apply(ctx, ops); err != nil {
			t.Fatal(err)
		}
	}
	s.End(nil)
	w.settle()
	rs := w.records()
	if len(rs) != 1 || rs[0].Outcome != audit.OK || rs[0].Subject != "ann" || rs[0].Changed[0] != "user/ann" {
		t.Fatalf("got %+v", rs)
	}
	s = w.log.Begin(audit.Event{Action: "DROP TABLE"})
	if err := w.log.Backend().Apply(s.With(t.Context()), ops); err != nil {
		t.Fatal(err)
	}
	s.End(kalam.Errorf(kalam.CodeConflict, "later"))
	w.log.Begin(audit.Event{Action: "DROP USER"}).End(kalam.Errorf(kalam.CodePermissionDenied, "no"))
	w.settle()
	got := ""
	for _, r := range w.records()[1:] {
		got += r.Action + " " + r.Outcome + "; "
	}
	if want := "DROP TABLE ok; DROP TABLE conflict; DROP USER denied; "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func (w *world) settle() {
	w.t.Helper()
	if err := w.log.Settle(w.t.Context(), true); err != nil {
		w.t.Fatal(err)
	}
}

// TestFlood notes a million events of many actors: what is written is bounded, and every one is counted.
func TestFlood(t *testing.T) {
	w := newWorld(t, audit.DefaultConfig())
	const each, actors = 25_000, 40
	var group sync.WaitGroup
	for a := range actors {
		group.Go(func() {
			for i := range each {
				w.log.Note(audit.Event{Action: "SELECT", Outcome: audit.Denied, Actor: fmt.Sprint("u", a), Address: "10.0.0.1",
					Target: fmt.Sprint("t", i%1000)})
			}
		})
	}
	group.Wait()
	w.settle()
	rs := w.records()
	total := int64(0)
	for _, r := range rs {
		total += r.Repeats
		if r.Repeats == 0 {
			total++
		}
	}
	if total != each*actors {
		t.Errorf("%d events were counted of %d", total, each*actors)
	}
	if len(rs) > 600 {
		t.Errorf("%d records were written", len(rs))
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
}

// TestStop notes something just before a stop: it is written, however Run and the stop meet.
func TestStop(t *testing.T) {
	w := newWorld(t, audit.Config{})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	const rounds = 40
	for i := range rounds {
		w.log.Note(audit.Event{Action: "TEST", Outcome: audit.OK, Target: fmt.Sprint(i)})
		w.log.Run(ctx)
	}
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	if n, lost := len(w.records()), w.log.Stats().Lost; n != rounds || lost != 0 {
		t.Errorf("%d of %d events were written, %d lost", n, rounds, lost)
	}
}

// TestConcurrent writes by every way at once.
func TestConcurrent(t *testing.T) {
	w := newWorld(t, audit.DefaultConfig())
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		w.log.Run(ctx)
	}()
	if err := w.b.CreateKeyspace(ctx, "sys_catalog"); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for a := range 8 {
		group.Go(func() {
			for i := range 50 {
				s := w.log.Begin(audit.Event{Action: "ALTER TABLE", Actor: fmt.Sprint("u", a)})
				err := w.log.Backend().Apply(s.With(ctx), []buffer.Op{{Keyspace: "sys_catalog", Key: []byte("a"), Value: []byte("b")}})
				s.End(err)
				w.log.Note(audit.Event{Action: "LOGIN", Outcome: audit.OK, Subject: fmt.Sprint("u", i)})
				if err := errors.Join(err, w.log.Append(ctx, audit.Event{Action: "LOGOUT"})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	cancel()
	<-ran
	if err := w.log.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.records()); n < 850 || n > 900 {
		t.Errorf("got %d records", n)
	}
	if p := w.verify(); p != nil {
		t.Errorf("got problems %q", p)
	}
}

// TestText keeps no value of a statement, and no secret.
func TestText(t *testing.T) {
	for _, sql := range []string{
		"CREATE USER ann WITH PASSWORD 'canary' ROLE user", "CREATE USER ann WITH PASSWORD canary",
		"CREATE USER ann WITH PASSWORD \"canary\"", "ALTER USER ann SET PASSWORD = $$canary$$",
		"CREATE STORAGE s TYPE s3 URI 's3://canary/' CREDENTIALS '{\"secret\": \"canary\"}'",
		"CREATE TABLE t AS SELECT 'canary' AS a, X'canary'", "SELECT * FROM t WHERE a = 'canary' -- canary",
		"SELECT 'canary", "EXECUTE AS USER 'bob' (CREATE USER ann WITH PASSWORD 'canary')",
	} {
		if got := audit.Text(sql); strings.Contains(got, "canary") {
			t.Errorf("%s\ngot %s", sql, got)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	dir, err := badger.Open(b.TempDir(), badger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	log, err := audit.Open(b.Context(), dir, audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		log.Note(audit.Event{Action: "X-USER-ID", Outcome: audit.OK, Actor: "backend", User: "ann", Subject: "ann", Address: "10.0.0.1"})
	}
	if err := errors.Join(log.Close(), dir.Close()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit is a write of the catalog, without and with a record.
func BenchmarkCommit(b *testing.B) {
	for _, audited := range []bool{false, true} {
		b.Run(fmt.Sprintf("audited=%t", audited), func(b *testing.B) {
			dir, err := badger.Open(b.TempDir(), badger.Options{})
			if err != nil {
				b.Fatal(err)
			}
			log, err := audit.Open(b.Context(), dir, audit.Options{})
			if err := errors.Join(err, dir.CreateKeyspace(b.Context(), "sys_catalog")); err != nil {
				b.Fatal(err)
			}
			ops := []buffer.Op{{Keyspace: "sys_catalog", Key: []byte("table/1"), Value: make([]byte, 1000)}}
			for b.Loop() {
				ctx := b.Context()
				if audited {
					ctx = log.Begin(audit.Event{Action: "CREATE TABLE", Actor: "root", User: "root", Target: "app.t"}).With(ctx)
				}
				if err := log.Backend().Apply(ctx, ops); err != nil {
					b.Fatal(err)
				}
			}
			if err := errors.Join(log.Close(), dir.Close()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
