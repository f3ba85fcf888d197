package lake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// collect returns all keys of a segment with copies of their bytes.
func collect(t testing.TB, l *lake.Lake, seg *kalam.Segment) []keyindex.Entry {
	t.Helper()
	var all []keyindex.Entry
	err := l.EachKey(t.Context(), seg, func(k keyindex.Entry) error {
		k.Key = bytes.Clone(k.Key)
		all = append(all, k)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// hardKeys generates keys that are hard on prefixes and block borders.
func hardKeys() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[ab]{0,3}`),
		rapid.Map(rapid.IntRange(0, 300), func(n int) string { return fmt.Sprintf("user-%08d", n) }),
		rapid.Map(rapid.IntRange(0, 40), func(n int) string { return strings.Repeat("\x00", n) }),
		rapid.Map(rapid.IntRange(0, 3), func(n int) string { return strings.Repeat("long", 700*n) }),
		rapid.Map(rapid.IntRange(0, 9), func(n int) string { return strings.Repeat("z", 6000) + string(rune('0'+n)) }),
		rapid.String(),
	)
}

// TestKeysAgainstAMap compares Locate and EachKey with a map of the newest
// version of each key.
func TestKeysAgainstAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfN(hardKeys(), 1, 300).Draw(rt, "keys")
		asked := rapid.SliceOfN(hardKeys(), 0, 50).Draw(rt, "asked")
		b := newBed(t, lake.Options{})
		seg := write(t, b.lake, keyed(), "alice", keyRows(names...), laketest.ParquetOptions{})
		newest := map[string]keyindex.Position{}
		for i, k := range names {
			newest[k] = keyindex.Position{Row: int64(i), Seq: firstSeq + kalam.Seq(i)}
		}
		asked = append(asked, names...)
		keys := make([][]byte, len(asked))
		want := make([]keyindex.Position, len(asked))
		for i, k := range asked {
			keys[i] = textKey(k)
			p, ok := newest[k]
			if !ok {
				p.Row = -1
			}
			want[i] = p
		}
		found, err := b.lake.Locate(t.Context(), &seg, keys)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, found); diff != "" {
			rt.Fatalf("Locate (-want +got):\n%s", diff)
		}
		for i := range keys {
			one, err := b.lake.Find(t.Context(), &seg, keys[i:i+1])
			if err != nil || one[0] != want[i].Row {
				rt.Fatalf("Find(%.40q) = %v, %v; want %d", asked[i], one, err, want[i].Row)
			}
		}
		all := collect(t, b.lake, &seg)
		if len(all) != len(newest) || !slices.IsSortedFunc(all,
			func(a, b keyindex.Entry) int { return bytes.Compare(a.Key, b.Key) }) {
			rt.Fatalf("EachKey visits %d keys, want %d in order", len(all), len(newest))
		}
		for _, k := range all {
			if p := newest[names[k.Row]]; p.Row != int64(k.Row) || p.Seq != k.Seq ||
				!bytes.Equal(k.Key, textKey(names[k.Row])) {
				rt.Fatalf("EachKey visits %+v", k)
			}
		}
		if !bytes.Equal(seg.MinKey, all[0].Key) || !bytes.Equal(seg.MaxKey, all[len(all)-1].Key) {
			rt.Fatalf("range %.20q to %.20q", seg.MinKey, seg.MaxKey)
		}
	})
}

// TestHugeKeys has keys of megabytes with a long common start: the index of the
// key index file must stay small and every key be found.
func TestHugeKeys(t *testing.T) {
	b := newBed(t, lake.Options{})
	start := strings.Repeat("x", 1<<20)
	names := make([]string, 20)
	for i := range names {
		names[i] = start + fmt.Sprintf("%03d", i)
	}
	names = append(names, "", "x", start[:1<<19], strings.Repeat("y", 4<<20))
	seg := write(t, b.lake, keyed(), "alice", keyRows(names...), laketest.ParquetOptions{NoDictionary: true})
	keys := make([][]byte, len(names))
	for i := range names {
		keys[i] = textKey(names[i])
	}
	at, err := b.lake.Find(t.Context(), &seg,
		append(keys, textKey(start+"0005"), textKey(start), textKey("w"), textKey(start[:100])))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(allRows(len(names)), -1, -1, -1, -1), at); diff != "" {
		t.Errorf("positions (-want +got):\n%s", diff)
	}
	if err := scrub(t.Context(), b.lake, &seg); err != nil {
		t.Error(err)
	}
	// The common start is stored a few times, not once per key.
	if n := len(read(t, b.file(keysOf(seg)))); n > 12<<20 {
		t.Errorf("the key index file has %d bytes", n)
	}
}

// TestManyKeys asks a segment of many blocks for twice as many keys as it has.
// TestMillionKeys does it for a million, without the Parquet file.
func TestManyKeys(t *testing.T) {
	const n = 100_000
	r := rand.New(rand.NewPCG(1, 2))
	b := newBed(t, lake.Options{})
	ids := r.Perm(2 * n)[:n] // half of the range, in random order
	table := notes()
	table.Columns = table.Columns[:1]
	rows := rowsOf(table, n, func(i int) []kalam.Value { return []kalam.Value{kalam.BigInt(int64(ids[i]))} })
	seg := write(t, b.lake, table, "alice", rows, laketest.ParquetOptions{RowGroup: 16384})
	at := make([]int64, 2*n)
	keys := make([][]byte, 2*n)
	for i := range at {
		at[i], keys[i] = -1, noteKey(int64(i))
	}
	for i, id := range ids {
		at[id] = int64(i)
	}
	found, err := b.lake.Find(t.Context(), &seg, keys)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, at) {
		t.Error("the positions are not those of the keys")
	}
	next := 0
	err = b.lake.EachKey(t.Context(), &seg, func(k keyindex.Entry) error {
		for at[next] < 0 {
			next++
		}
		if int64(k.Row) != at[next] || k.Seq != firstSeq+kalam.Seq(k.Row) || !bytes.Equal(k.Key, keys[next]) {
			return fmt.Errorf("key %d is %+v", next, k)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if size := len(read(t, b.file(keysOf(seg)))); size > 12*n {
		t.Errorf("the key index file has %d bytes, over 12 a key", size)
	}
	for range 100 {
		id := r.IntN(2 * n)
		one, err := b.lake.Find(t.Context(), &seg, [][]byte{keys[id]})
		if err != nil || one[0] != at[id] {
			t.Fatalf("Find(%d) = %v, %v; want %d", id, one, err, at[id])
		}
	}
	if err := scrub(t.Context(), b.lake, &seg); err != nil {
		t.Error(err)
	}
}

func TestEachKeyStops(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(5000, 0), laketest.ParquetOptions{})
	enough := errors.New("enough")
	n := 0
	err := b.lake.EachKey(t.Context(), &seg, func(keyindex.Entry) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("EachKey = %v after %d keys", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n = 0
	err = b.lake.EachKey(ctx, &seg, func(keyindex.Entry) error { n++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n >= 5000 {
		t.Errorf("EachKey with a cancelled context = %v after %d keys", err, n)
	}
	if _, err := b.lake.Locate(ctx, &seg, [][]byte{noteKey(0), noteKey(4000)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Locate with a cancelled context = %v", err)
	}
	if _, err := b.lake.ReadRows(ctx, notes(), &seg, []int64{0}); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadRows with a cancelled context = %v", err)
	}
}

func TestFindNothing(t *testing.T) {
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	if at, err := b.lake.Find(t.Context(), &seg, nil); err != nil || len(at) != 0 {
		t.Errorf("Find of no keys = %v, %v", at, err)
	}
	if rows, err := b.lake.ReadRows(t.Context(), notes(), &seg, nil); err != nil || len(rows) != 0 {
		t.Errorf("ReadRows of no rows = %v, %v", rows, err)
	}
	for _, row := range []int64{-1, 3} {
		if _, err := b.lake.ReadRows(t.Context(), notes(), &seg, []int64{0, row}); err == nil {
			t.Errorf("ReadRows of row %d of 3 succeeds", row)
		}
	}
}
