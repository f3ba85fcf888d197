package buffertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// part is the keyspace that most checks use.
const part = "sys_test"

// TestBackend checks that a Backend keeps its contract. open returns an empty
// one; it is called once per subtest and registers its own cleanup.
func TestBackend(t *testing.T, open func(t *testing.T) buffer.Backend) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, buffer.Backend)
	}{
		{"PutGetDelete", testPutGetDelete},
		{"EmptyAndBinaryKeysAndValues", testBinary},
		{"ValuesAreCopies", testCopies},
		{"Scan", testScan},
		{"ScanStopsAtError", testScanError},
		{"ScanMayRead", testScanReads},
		{"ApplyIsAllOrNothing", testAllOrNothing},
		{"LaterOpWins", testLaterOp},
		{"Limits", testLimits},
		{"LargeValues", testLargeValues},
		{"Keyspaces", testKeyspaces},
		{"KeyspaceNames", testNames},
		{"KeyspacesAreDisjoint", testDisjoint},
		{"DropForgetsKeys", testDrop},
		{"ManyOverwrites", testOverwrites},
		{"SnapshotStays", testSnapshot},
		{"CanceledContext", testCanceled},
		{"ConcurrentUse", testConcurrent},
		{"ReadersSeeWholeBatches", testWholeBatches},
		{"Closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), part))
			c.run(t, b)
		})
	}
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantIs checks the sentinel of an error.
func wantIs(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s = %v, want %v", what, err, target)
	}
}

// Put writes one value.
func Put(ctx context.Context, b buffer.Backend, keyspace string, key, value []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Value: value}})
}

// Delete removes one key.
func Delete(ctx context.Context, b buffer.Backend, keyspace string, key []byte) error {
	return b.Apply(ctx, []buffer.Op{{Keyspace: keyspace, Key: key, Delete: true}})
}

func put(t testing.TB, b buffer.Backend, key, value string) {
	t.Helper()
	must(t, "Put", Put(t.Context(), b, part, []byte(key), []byte(value)))
}

// get returns the value of a key, "<none>" when there is none.
func get(t *testing.T, r buffer.Reader, key string) string {
	t.Helper()
	v, err := r.Get(t.Context(), part, []byte(key))
	if errors.Is(err, buffer.ErrKeyNotFound) {
		return "<none>"
	}
	must(t, "Get", err)
	return string(v)
}

func wantGet(t *testing.T, r buffer.Reader, key, want string) {
	t.Helper()
	if got := get(t, r, key); got != want {
		t.Errorf("Get(%q) = %q, want %q", key, got, want)
	}
}

// content returns "key=value" of everything in [start, end).
func content(t *testing.T, r buffer.Reader, keyspace string, start, end []byte) []string {
	t.Helper()
	out := []string{}
	must(t, "Scan", r.Scan(t.Context(), keyspace, start, end, func(k, v []byte) error {
		out = append(out, string(k)+"="+string(v))
		return nil
	}))
	return out
}

func wantContent(t *testing.T, b buffer.Backend, start, end []byte, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, content(t, b, part, start, end)); diff != "" {
		t.Errorf("Scan(%q, %q) (-want +got):\n%s", start, end, diff)
	}
	scanned, keys := []string{}, []string{}
	must(t, "Scan", b.Scan(t.Context(), part, start, end,
		func(k, _ []byte) error { scanned = append(scanned, string(k)); return nil }))
	must(t, "Keys", b.Keys(t.Context(), part, start, end,
		func(k []byte) error { keys = append(keys, string(k)); return nil }))
	if diff := cmp.Diff(scanned, keys); diff != "" {
		t.Errorf("Keys(%q, %q) (-Scan +Keys):\n%s", start, end, diff)
	}
}

func testPutGetDelete(t *testing.T, b buffer.Backend) {
	wantGet(t, b, "a", "<none>")
	put(t, b, "a", "1")
	wantGet(t, b, "a", "1")
	put(t, b, "a", "2")
	wantGet(t, b, "a", "2")
	must(t, "Delete", Delete(t.Context(), b, part, []byte("a")))
	wantGet(t, b, "a", "<none>")
	must(t, "Delete of a missing key", Delete(t.Context(), b, part, []byte("a")))
	put(t, b, "a", "3")
	wantGet(t, b, "a", "3")
}

func testBinary(t *testing.T, b buffer.Backend) {
	put(t, b, "k", "")
	wantGet(t, b, "k", "")
	if v, err := b.Get(t.Context(), part, []byte("k")); err != nil || v == nil {
		t.Errorf("Get of an empty value = %v, %v, want not nil", v, err)
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	put(t, b, string(all), string(all))
	put(t, b, "\x00", "zero")
	put(t, b, "\xff\xff", "high")
	wantContent(t, b, nil, nil, "\x00=zero", string(all)+"="+string(all), "k=", "\xff\xff=high")
	err := Put(t.Context(), b, part, nil, []byte("v"))
	wantIs(t, "Put of an empty key", err, buffer.ErrBatchFailed)
}

func testCopies(t *testing.T, b buffer.Backend) {
	key, value := []byte("key"), []byte("value")
	must(t, "Put", Put(t.Context(), b, part, key, value))
	key[0], value[0] = 'x', 'x'
	wantGet(t, b, "key", "value")
	got, err := b.Get(t.Context(), part, []byte("key"))
	must(t, "Get", err)
	got[0] = 'x'
	wantGet(t, b, "key", "value")
}

func testScan(t *testing.T, b buffer.Backend) {
	for _, k := range []string{"b", "a", "ab", "c", "abc", "ac"} {
		put(t, b, k, k)
	}
	must(t, "Delete", Delete(t.Context(), b, part, []byte("ab")))
	wantContent(t, b, nil, nil, "a=a", "abc=abc", "ac=ac", "b=b", "c=c")
	wantContent(t, b, []byte("ab"), []byte("ac"), "abc=abc")
	wantContent(t, b, []byte("abc"), []byte("b"), "abc=abc", "ac=ac")
	wantContent(t, b, []byte("b"), nil, "b=b", "c=c")
	wantContent(t, b, nil, []byte("ab"), "a=a")
	wantContent(t, b, []byte("b"), []byte("b"))
	wantContent(t, b, []byte("d"), nil)
	wantContent(t, b, []byte("c"), []byte("a"))
}

func testScanError(t *testing.T, b buffer.Backend) {
	for _, k := range []string{"a", "b", "c"} {
		put(t, b, k, k)
	}
	stop := errors.New("stop")
	seen := 0
	err := b.Scan(t.Context(), part, nil, nil, func(_, _ []byte) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 2 {
		t.Errorf("Scan = %v after %d keys, want %v after 2", err, seen, stop)
	}
	seen = 0
	err = b.Keys(t.Context(), part, nil, nil, func([]byte) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 2 {
		t.Errorf("Keys = %v after %d keys, want %v after 2", err, seen, stop)
	}
}

func testScanReads(t *testing.T, b buffer.Backend) {
	put(t, b, "a", "1")
	put(t, b, "b", "2")
	n := 0
	must(t, "Scan", b.Scan(t.Context(), part, nil, nil, func(k, v []byte) error {
		wantGet(t, b, string(k), string(v))
		return b.Scan(t.Context(), part, nil, nil, func(_, _ []byte) error { n++; return nil })
	}))
	if n != 4 {
		t.Errorf("nested scans saw %d keys, want 4", n)
	}
}

func testAllOrNothing(t *testing.T, b buffer.Backend) {
	put(t, b, "a", "1")
	err := b.Apply(t.Context(), []buffer.Op{
		{Keyspace: part, Key: []byte("a"), Delete: true},
		{Keyspace: part, Key: []byte("b"), Value: []byte("2")},
		{Keyspace: "missing", Key: []byte("c"), Value: []byte("3")},
	})
	wantIs(t, "Apply with a missing keyspace", err, buffer.ErrKeyspaceNotFound)
	wantContent(t, b, nil, nil, "a=1")
	must(t, "Apply of nothing", b.Apply(t.Context(), nil))
	must(t, "CreateKeyspace", b.CreateKeyspace(t.Context(), "other"))
	must(t, "Apply", b.Apply(t.Context(), []buffer.Op{
		{Keyspace: part, Key: []byte("a"), Delete: true},
		{Keyspace: part, Key: []byte("b"), Value: []byte("2")},
		{Keyspace: "other", Key: []byte("b"), Value: []byte("3")},
	}))
	wantContent(t, b, nil, nil, "b=2")
	if diff := cmp.Diff([]string{"b=3"}, content(t, b, "other", nil, nil)); diff != "" {
		t.Errorf("other keyspace (-want +got):\n%s", diff)
	}
}

func testLaterOp(t *testing.T, b buffer.Backend) {
	a, c := []byte("a"), []byte("c")
	must(t, "Apply", b.Apply(t.Context(), []buffer.Op{
		{Keyspace: part, Key: a, Value: []byte("1")},
		{Keyspace: part, Key: a, Value: []byte("2")},
		{Keyspace: part, Key: c, Value: []byte("3")},
		{Keyspace: part, Key: c, Delete: true},
	}))
	wantContent(t, b, nil, nil, "a=2")
	must(t, "Apply", b.Apply(t.Context(), []buffer.Op{
		{Keyspace: part, Key: a, Delete: true},
		{Keyspace: part, Key: a, Value: []byte("4")},
	}))
	wantContent(t, b, nil, nil, "a=4")
}

// testLimits writes batches at the limits, and just above them.
func testLimits(t *testing.T, b buffer.Backend) {
	l := b.MaxBatch()
	if l.Ops < 100 || l.Bytes < 256<<10 || l.Value < 512<<10 {
		t.Fatalf("MaxBatch() = %+v, which is of little use", l)
	}
	if l.Ops <= 1<<16 {
		ops := make([]buffer.Op, l.Ops)
		for i := range ops {
			ops[i] = buffer.Op{Keyspace: part, Key: fmt.Appendf(nil, "%08d", i), Value: []byte{1}}
		}
		must(t, "Apply of the most ops", b.Apply(t.Context(), ops))
		wantIs(t, "Apply of one op more", b.Apply(t.Context(), append(ops, ops[0])), buffer.ErrNotSupported)
	}
	if l.Bytes <= 64<<20 {
		size := 16 << 10
		if l.Large > 0 {
			size = min(size, int(l.Large)-1)
		}
		var ops []buffer.Op
		for room := l.Bytes; room > 8; room -= int64(8 + len(ops[len(ops)-1].Value)) {
			ops = append(ops, buffer.Op{Keyspace: part, Key: fmt.Appendf(nil, "%08d", len(ops)),
				Value: make([]byte, min(int64(size), room-8))})
		}
		must(t, "Apply of the most bytes", b.Apply(t.Context(), ops))
		ops = append(ops, buffer.Op{Keyspace: part, Key: []byte("123456789")})
		wantIs(t, "Apply of more bytes", b.Apply(t.Context(), ops), buffer.ErrNotSupported)
	}
	if l.Value <= 64<<20 {
		err := Put(t.Context(), b, part, []byte("k"), make([]byte, l.Value+1))
		wantIs(t, "Put of a value that is too long", err, buffer.ErrNotSupported)
	}
}

func testLargeValues(t *testing.T, b buffer.Backend) {
	var ops []buffer.Op
	want := map[string][]byte{}
	for i, n := range []int{1, 1000, 32<<10 - 1, 32 << 10, 100 << 10, 300 << 10} {
		v := bytes.Repeat([]byte{byte(i + 1)}, n)
		k := fmt.Sprintf("k%d", i)
		want[k] = v
		ops = append(ops, buffer.Op{Keyspace: part, Key: []byte(k), Value: v})
	}
	must(t, "Apply", b.Apply(t.Context(), ops))
	must(t, "Scan", b.Scan(t.Context(), part, nil, nil, func(k, v []byte) error {
		if !bytes.Equal(want[string(k)], v) {
			t.Errorf("value of %s: %d bytes, want %d of %d", k, len(v), len(want[string(k)]), want[string(k)][0])
		}
		delete(want, string(k))
		return nil
	}))
	if len(want) > 0 {
		t.Errorf("keys not found: %v", slices.Collect(maps.Keys(want)))
	}
}

func testKeyspaces(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	must(t, "CreateKeyspace", b.CreateKeyspace(ctx, "Zz9_"))
	wantIs(t, "CreateKeyspace twice", b.CreateKeyspace(ctx, "Zz9_"), buffer.ErrKeyspaceExists)
	names, err := b.Keyspaces(ctx)
	must(t, "Keyspaces", err)
	if diff := cmp.Diff([]string{"Zz9_", part}, names); diff != "" {
		t.Errorf("Keyspaces (-want +got):\n%s", diff)
	}
	_, err = b.Get(ctx, "other", []byte("k"))
	wantIs(t, "Get", err, buffer.ErrKeyspaceNotFound)
	wantIs(t, "Scan", b.Scan(ctx, "other", nil, nil, nil), buffer.ErrKeyspaceNotFound)
	wantIs(t, "Keys", b.Keys(ctx, "other", nil, nil, nil), buffer.ErrKeyspaceNotFound)
	wantIs(t, "Put", Put(ctx, b, "other", []byte("k"), nil), buffer.ErrKeyspaceNotFound)
	wantIs(t, "DropKeyspace", b.DropKeyspace(ctx, "other"), buffer.ErrKeyspaceNotFound)
}

func testNames(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	for _, name := range []string{"", "a b", "a/b", "ä", "a\x00", "..", string(bytes.Repeat([]byte("n"), 65))} {
		wantIs(t, fmt.Sprintf("CreateKeyspace(%q)", name), b.CreateKeyspace(ctx, name), buffer.ErrInvalidKeyspace)
		_, err := b.Get(ctx, name, []byte("k"))
		wantIs(t, fmt.Sprintf("Get(%q)", name), err, buffer.ErrInvalidKeyspace)
	}
	must(t, "CreateKeyspace of 64 bytes", b.CreateKeyspace(ctx, string(bytes.Repeat([]byte("n"), 64))))
}

func testDisjoint(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	names := []string{"a", "ab", "b", "A"}
	for _, n := range names {
		must(t, "CreateKeyspace", b.CreateKeyspace(ctx, n))
		must(t, "Put", Put(ctx, b, n, []byte("b"), []byte(n)))
		must(t, "Put", Put(ctx, b, n, []byte("\xff\xff\xff\xff\xff\xff"), []byte(n)))
	}
	for _, n := range names {
		want := []string{"b=" + n, "\xff\xff\xff\xff\xff\xff=" + n}
		if diff := cmp.Diff(want, content(t, b, n, nil, nil)); diff != "" {
			t.Errorf("keyspace %s (-want +got):\n%s", n, diff)
		}
	}
}

func testDrop(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	must(t, "CreateKeyspace", b.CreateKeyspace(ctx, "gone"))
	for i := range 2500 {
		must(t, "Put", b.Apply(ctx, []buffer.Op{{Keyspace: "gone", Key: fmt.Appendf(nil, "%d", i)}}))
		if i == 10 && testing.Short() {
			break
		}
	}
	put(t, b, "stays", "1")
	must(t, "DropKeyspace", b.DropKeyspace(ctx, "gone"))
	_, err := b.Get(ctx, "gone", []byte("1"))
	wantIs(t, "Get", err, buffer.ErrKeyspaceNotFound)
	must(t, "CreateKeyspace again", b.CreateKeyspace(ctx, "gone"))
	if got := content(t, b, "gone", nil, nil); len(got) != 0 {
		t.Errorf("a keyspace that was created again holds %d keys", len(got))
	}
	wantContent(t, b, nil, nil, "stays=1")
}

// testOverwrites replaces and deletes values of some size, again and again.
func testOverwrites(t *testing.T, b buffer.Backend) {
	const n, size, rounds = 20, 10_000, 3
	for round := range rounds {
		for i := range n {
			put(t, b, fmt.Sprint(i), string(bytes.Repeat([]byte{byte(round)}, size)))
		}
	}
	wantGet(t, b, "7", string(bytes.Repeat([]byte{rounds - 1}, size)))
	for i := range n {
		must(t, "Delete", Delete(t.Context(), b, part, []byte(fmt.Sprint(i))))
	}
	wantContent(t, b, nil, nil)
}

func testCanceled(t *testing.T, b buffer.Backend) {
	put(t, b, "a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantIs(t, "Put", Put(ctx, b, part, []byte("a"), []byte("2")), context.Canceled)
	_, err := b.Get(ctx, part, []byte("a"))
	wantIs(t, "Get", err, context.Canceled)
	wantIs(t, "Scan", b.Scan(ctx, part, nil, nil, func(_, _ []byte) error { return nil }), context.Canceled)
	wantGet(t, b, "a", "1")
	ctx, cancel = context.WithCancel(t.Context())
	put(t, b, "b", "1")
	err = b.Scan(ctx, part, nil, nil, func(_, _ []byte) error { cancel(); return nil })
	wantIs(t, "Scan that is canceled", err, context.Canceled)
}

func testConcurrent(t *testing.T, b buffer.Backend) {
	const workers, rounds = 8, 40
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			ctx := context.Background()
			for i := range rounds {
				key := fmt.Appendf(nil, "%d/%d", w, i)
				if err := Put(ctx, b, part, key, key); err != nil {
					t.Errorf("Put: %v", err)
				}
				if v, err := b.Get(ctx, part, key); err != nil || !bytes.Equal(v, key) {
					t.Errorf("Get(%s) = %q, %v", key, v, err)
				}
				n := 0
				prefix := fmt.Appendf(nil, "%d/", w)
				if err := b.Scan(ctx, part, prefix, fmt.Appendf(nil, "%d0", w),
					func(_, _ []byte) error { n++; return nil }); err != nil {
					t.Errorf("Scan: %v", err)
				}
				if n != i+1 {
					t.Errorf("worker %d saw %d keys of its own, want %d", w, n, i+1)
				}
			}
		})
	}
	wg.Wait()
	if got := len(content(t, b, part, nil, nil)); got != workers*rounds {
		t.Errorf("%d keys, want %d", got, workers*rounds)
	}
}

// testWholeBatches reads while batches set all keys to one value.
func testWholeBatches(t *testing.T, b buffer.Backend) {
	const keys, rounds = 10, 60
	batch := func(round int) []buffer.Op {
		ops := make([]buffer.Op, keys)
		for i := range ops {
			ops[i] = buffer.Op{Keyspace: part, Key: fmt.Appendf(nil, "%d", i), Value: fmt.Append(nil, round)}
		}
		return ops
	}
	must(t, "Apply", b.Apply(t.Context(), batch(0)))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				seen := map[string]bool{}
				err := b.Scan(context.Background(), part, nil, nil,
					func(_, v []byte) error { seen[string(v)] = true; return nil })
				if err != nil || len(seen) != 1 {
					t.Errorf("a scan saw the batches %v, error %v", slices.Collect(maps.Keys(seen)), err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range rounds {
		if err := b.Apply(t.Context(), batch(i+1)); err != nil {
			t.Errorf("Apply: %v", err)
		}
	}
	close(done)
	wg.Wait()
}

func testClosed(t *testing.T, b buffer.Backend) {
	ctx := t.Context()
	put(t, b, "a", "1")
	must(t, "Close", b.Close())
	_, err := b.Get(ctx, part, []byte("a"))
	errs := map[string]error{
		"Get": err, "Put": Put(ctx, b, part, []byte("a"), nil), "CreateKeyspace": b.CreateKeyspace(ctx, "n"),
		"Scan": b.Scan(ctx, part, nil, nil, func(_, _ []byte) error { return nil }),
	}
	_, errs["Keyspaces"] = b.Keyspaces(ctx)
	_, errs["Snapshot"] = b.Snapshot(ctx)
	for what, err := range errs {
		if kalam.CodeOf(err) != kalam.CodeShuttingDown {
			t.Errorf("%s after Close = %v, want CodeShuttingDown", what, err)
		}
	}
	must(t, "Close twice", b.Close())
}
