package buffer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/datatype"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tb is what helpers need of *testing.T, *testing.B and *rapid.T.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// notes returns a table of users' notes: id BIGINT PRIMARY KEY, body TEXT.
func notes(n kalam.TableNumber) *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "app", Name: kalam.TableName(fmt.Sprintf("notes%d", n))}, Number: n,
		Kind: kalam.KindUserTable,
		Columns: []kalam.Column{
			{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
			{ID: 2, Name: "body", Type: kalam.TypeOf(kalam.KindText)},
		},
		PrimaryKey: []int{0}, SchemaVersion: 1,
	}
}

func keyOf(t *kalam.Table, id int64) []byte {
	return datatype.EncodeKey(nil, t, []kalam.Value{kalam.BigInt(id), kalam.Null()})
}

func payloadOf(t *kalam.Table, id int64, body string) []byte {
	return datatype.EncodeRow(nil, t, []kalam.Value{kalam.BigInt(id), kalam.Text(body)})
}

func insert(t *kalam.Table, user kalam.UserID, id int64, body string) buffer.Mutation {
	return buffer.Mutation{
		Table: t, Scope: t.ScopeOf(user), Kind: kalam.ChangeInsert, Key: keyOf(t, id), Payload: payloadOf(t, id, body),
	}
}

func update(t *kalam.Table, user kalam.UserID, id int64, body string, expect kalam.Seq) buffer.Mutation {
	m := insert(t, user, id, body)
	m.Kind, m.Expect = kalam.ChangeUpdate, expect
	return m
}

func remove(t *kalam.Table, user kalam.UserID, id int64, body string, expect kalam.Seq) buffer.Mutation {
	m := update(t, user, id, body, expect)
	m.Kind = kalam.ChangeDelete
	return m
}

func own(m buffer.Mutation) buffer.Mutation { m.Own, m.Expect = true, 0; return m }

// row is a row as tests compare it.
type row struct {
	Body string
	Seq  kalam.Seq
}

// rows are the live rows of a scope by id.
type rows map[int64]row

// lakeFake keeps segments in memory, by path. It implements
// buffer.SegmentReader.
type lakeFake struct {
	mu       sync.Mutex // guards what follows
	segments map[string]*segmentFake
	files    int
	finds    int
	reads    int

	onFind func() // Called by Find before it does anything; nil is nothing.
}

type segmentFake struct {
	keys map[string]int64
	rows []kalam.Row
}

func newLake() *lakeFake { return &lakeFake{segments: map[string]*segmentFake{}} }

func (l *lakeFake) get(seg *kalam.Segment) (*segmentFake, error) {
	if s, ok := l.segments[seg.Path]; ok {
		return s, nil
	}
	return nil, kalam.Errorf(kalam.CodeCorrupt, "segment %s is missing", seg.Path)
}

func (l *lakeFake) Find(_ context.Context, seg *kalam.Segment, keys [][]byte) ([]int64, error) {
	if l.onFind != nil {
		l.onFind()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finds++
	s, err := l.get(seg)
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(keys))
	for i, k := range keys {
		out[i] = -1
		if r, ok := s.keys[string(k)]; ok {
			out[i] = r
		}
	}
	return out, nil
}

func (l *lakeFake) ReadRows(_ context.Context, _ *kalam.Table, seg *kalam.Segment, rows []int64) ([]kalam.Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	s, err := l.get(seg)
	if err != nil {
		return nil, err
	}
	out := make([]kalam.Row, len(rows))
	for i, r := range rows {
		out[i] = s.rows[r]
	}
	return out, nil
}

// write makes a segment of what the view has in the log, as a flush does. ok is
// false when that is nothing.
func (l *lakeFake) write(v *buffer.View) (fc buffer.FlushCommit, ok bool, err error) {
	s := &segmentFake{keys: map[string]int64{}}
	fc = buffer.FlushCommit{Table: v.Table(), Scope: v.Scope(), Watermark: v.Watermark(), Tombstones: roaring.New()}
	for ver, err := range v.Versions() {
		if err != nil {
			return fc, false, err
		}
		n := int64(len(s.rows))
		s.keys[string(ver.Key)] = n
		s.rows = append(s.rows, ver.Row)
		fc.Keys = append(fc.Keys, buffer.SegmentKey{Key: ver.Key, Row: uint32(n)})
		if ver.Row.Deleted {
			fc.Tombstones.Add(uint32(n))
		}
	}
	if len(s.rows) == 0 {
		return fc, false, nil
	}
	keys := slices.SortedFunc(func(yield func([]byte) bool) {
		for _, k := range fc.Keys {
			if !yield(k.Key) {
				return
			}
		}
	}, bytes.Compare)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files++
	fc.Segment = kalam.Segment{
		Path: fmt.Sprintf("%d", l.files), Table: v.Table().Number, SchemaVersion: 1,
		MinSeq: s.rows[0].Seq, MaxSeq: s.rows[len(s.rows)-1].Seq, Rows: int64(len(s.rows)),
		Tombstones: int64(fc.Tombstones.GetCardinality()),
		MinKey:     keys[0], MaxKey: keys[len(keys)-1],
	}
	l.segments[fc.Segment.Path] = s
	return fc, true, nil
}

// flush moves the log of a scope to the lake, without trimming.
func (l *lakeFake) flush(ctx context.Context, s *buffer.Store, t *kalam.Table, user kalam.UserID) (kalam.Segment,
	error) {
	snap, err := viewsOf(s, ctx, []buffer.TableScope{{Table: t, Scope: t.ScopeOf(user)}})
	if err != nil {
		return kalam.Segment{}, err
	}
	defer snap.Release()
	fc, ok, err := l.write(snap.View(0))
	if err != nil || !ok {
		return kalam.Segment{}, err
	}
	return s.CommitFlush(ctx, fc)
}

// flushTogether moves the logs of some users to the lake in one call, without
// trimming.
func (f *fixture) flushTogether(t *kalam.Table, users []kalam.UserID) []buffer.FlushOutcome {
	var flushes []buffer.FlushCommit
	for _, u := range users {
		snap := f.snapshot(t, u)
		fc, ok, err := f.lake.write(snap.View(0))
		snap.Release()
		if err != nil {
			return []buffer.FlushOutcome{{Err: err}}
		}
		if ok {
			flushes = append(flushes, fc)
		}
	}
	return f.store.CommitFlushes(context.Background(), flushes)
}

// decode returns the id and the body of a payload.
func decode(t tb, table *kalam.Table, payload []byte) (int64, string) {
	t.Helper()
	vals, err := datatype.DecodeRow(table, payload, nil)
	if err != nil {
		t.Fatalf("DecodeRow: %v", err)
	}
	return vals[0].Int(), strings.Clone(vals[1].Str())
}

// read returns the live rows of a view as a query would see them: the segments
// without the rows that are dead or tombstones, and the batches. A key that shows
// twice is an error.
func (l *lakeFake) read(t tb, v *buffer.View) rows {
	t.Helper()
	out := rows{}
	add := func(id int64, r row) {
		if old, twice := out[id]; twice {
			t.Errorf("key %d shows twice: %v and %v", id, old, r)
		}
		out[id] = r
	}
	for _, seg := range v.Segments() {
		l.mu.Lock()
		s, err := l.get(seg.Segment)
		l.mu.Unlock()
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		for i, r := range s.rows {
			if seg.Dead != nil && seg.Dead.Contains(uint32(i)) || seg.Tombstones != nil &&
				seg.Tombstones.Contains(uint32(i)) {
				continue
			}
			id, body := decode(t, v.Table(), r.Payload)
			add(id, row{body, r.Seq})
		}
	}
	batches, err := v.Batches(false)
	if err != nil {
		t.Fatalf("Batches: %v", err)
	}
	eachLive(batches, func(rec arrow.RecordBatch, i int) {
		add(rec.Column(0).(*array.Int64).Value(i),
			row{rec.Column(1).(*array.String).Value(i),
				kalam.Seq(rec.Column(int(rec.NumCols()) - 2).(*array.Int64).Value(i))})
	})
	return out
}

// eachLive calls f for every live row of the batches.
func eachLive(batches []buffer.Batch, f func(rec arrow.RecordBatch, i int)) {
	for _, b := range batches {
		if b.Live == nil {
			for i := range int(b.Record.NumRows()) {
				f(b.Record, i)
			}
		}
		for _, i := range b.Live {
			f(b.Record, int(i))
		}
	}
}

// fixture is a Store with all it stands on.
type fixture struct {
	t       tb
	backend buffer.Backend
	lake    *lakeFake
	opts    buffer.Options
	store   *buffer.Store

	published []kalam.Change // Of inFourStates.
}

func openStore(t tb, b buffer.Backend, lake *lakeFake, o buffer.Options) *buffer.Store {
	t.Helper()
	o.Segments = lake
	s, err := buffer.Open(context.Background(), b, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

// newFixture opens a Store until the end of the test.
func newFixture(t *testing.T, b buffer.Backend, o buffer.Options) *fixture {
	t.Helper()
	f := &fixture{t: t, backend: b, lake: newLake(), opts: o}
	f.store = openStore(t, b, f.lake, o)
	t.Cleanup(func() {
		if f.store == nil {
			return
		}
		if err := f.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return f
}

// reopen closes the Store and opens it again.
func (f *fixture) reopen() {
	f.t.Helper()
	if err := f.store.Close(); err != nil {
		f.t.Fatalf("Close: %v", err)
	}
	f.store = openStore(f.t, f.backend, f.lake, f.opts)
}

func (f *fixture) apply(muts ...buffer.Mutation) []kalam.Seq {
	f.t.Helper()
	seqs, err := f.store.Apply(context.Background(), muts)
	if err != nil {
		f.t.Fatalf("Apply: %v", err)
	}
	return seqs
}

// refused applies mutations that must fail with the code.
func (f *fixture) refused(code kalam.Code, muts ...buffer.Mutation) error {
	f.t.Helper()
	_, err := f.store.Apply(context.Background(), muts)
	if err == nil || kalam.CodeOf(err) != code {
		f.t.Fatalf("Apply = %v, want code %d", err, code)
	}
	return err
}

func (f *fixture) flush(t *kalam.Table, user kalam.UserID) kalam.Segment {
	f.t.Helper()
	seg, err := f.lake.flush(context.Background(), f.store, t, user)
	if err != nil {
		f.t.Fatalf("flush: %v", err)
	}
	return seg
}

func (f *fixture) trim(t *kalam.Table, user kalam.UserID) int {
	f.t.Helper()
	n, err := f.store.Trim(context.Background(), t.ScopeOf(user))
	if err != nil {
		f.t.Fatalf("Trim: %v", err)
	}
	return n
}

// fixedViews is a read point whose views were taken at once.
type fixedViews struct {
	*buffer.ReadPoint
	views []*buffer.View
}

// View returns the view of the scope at an index.
func (p *fixedViews) View(i int) *buffer.View { return p.views[i] }

func viewsOf(s *buffer.Store, ctx context.Context, scopes []buffer.TableScope) (*fixedViews, error) {
	p, views, err := s.Views(ctx, scopes)
	return &fixedViews{p, views}, err
}

func (f *fixture) snapshot(t *kalam.Table, users ...kalam.UserID) *fixedViews {
	f.t.Helper()
	var scopes []buffer.TableScope
	for _, u := range users {
		scopes = append(scopes, buffer.TableScope{Table: t, Scope: t.ScopeOf(u)})
	}
	snap, err := viewsOf(f.store, context.Background(), scopes)
	if err != nil {
		f.t.Fatalf("Snapshot: %v", err)
	}
	return snap
}

// rows returns the live rows of a user.
func (f *fixture) rows(t *kalam.Table, user kalam.UserID) rows {
	f.t.Helper()
	snap := f.snapshot(t, user)
	defer snap.Release()
	return f.lake.read(f.t, snap.View(0))
}

// bodies returns the bodies of a user's rows by id.
func (f *fixture) bodies(t *kalam.Table, user kalam.UserID) map[int64]string {
	f.t.Helper()
	return bodiesOf(f.rows(t, user))
}

func bodiesOf(r rows) map[int64]string {
	out := map[int64]string{}
	for id, row := range r {
		out[id] = row.Body
	}
	return out
}

// want compares the rows of a user.
func (f *fixture) want(t *kalam.Table, user kalam.UserID, want map[int64]string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.bodies(t, user)); diff != "" {
		f.t.Errorf("rows of %s (-want +got):\n%s", user, diff)
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		f.wantGet(t, user, id, want[id])
	}
}

func (f *fixture) get(t *kalam.Table, user kalam.UserID, id int64) (row, bool) {
	f.t.Helper()
	r, ok, err := f.store.Get(context.Background(), t, t.ScopeOf(user), keyOf(t, id))
	if err != nil {
		f.t.Fatalf("Get: %v", err)
	}
	if !ok {
		return row{}, false
	}
	_, body := decode(f.t, t, r.Payload)
	return row{body, r.Seq}, true
}

func (f *fixture) wantGet(t *kalam.Table, user kalam.UserID, id int64, want string) {
	f.t.Helper()
	got, ok := f.get(t, user, id)
	if !ok || got.Body != want {
		f.t.Errorf("Get(%d) = %q, %v, want %q", id, got.Body, ok, want)
	}
}

func (f *fixture) wantNone(t *kalam.Table, user kalam.UserID, id int64) {
	f.t.Helper()
	if got, ok := f.get(t, user, id); ok {
		f.t.Errorf("Get(%d) = %q, want no row", id, got.Body)
	}
}

// steppingClock is a wall clock that tests set.
type steppingClock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *steppingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steppingClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logged is a logger whose lines tests read.
func logged(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
