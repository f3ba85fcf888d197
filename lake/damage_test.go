package lake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// flips is how many single bits the damage tests turn over in each kind of file
// of each layout.
const flips = 60

// reading is everything that a lake says about a segment.
type reading struct {
	positions []int64
	keys      []keyindex.Entry
	rows      []kalam.Row
}

// readAll asks for everything, each part with its error. Every part must be the
// one of want or fail with CodeCorrupt; it returns whether one failed.
func readAll(t *testing.T, l *lake.Lake, table *kalam.Table, seg *kalam.Segment, keys [][]byte, want *reading,
	what string) bool {
	t.Helper()
	ctx := t.Context()
	failed := false
	judge := func(part string, same bool, err error) {
		t.Helper()
		switch {
		case err == nil && !same:
			t.Fatalf("%s: %s gives other rows", what, part)
		case err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt:
			t.Fatalf("%s: %s = %v, want CodeCorrupt", what, part, err)
		case err != nil && !strings.Contains(err.Error(), strings.TrimSuffix(seg.Path, ".parquet")):
			t.Fatalf("%s: %s = %v, which does not name the file", what, part, err)
		}
		failed = failed || err != nil
	}
	positions, err := l.Find(ctx, seg, keys)
	judge("Find", slices.Equal(positions, want.positions), err)
	i := 0
	same := true
	err = l.EachKey(ctx, seg, func(k keyindex.Entry) error {
		same = same && i < len(want.keys) && k.Row == want.keys[i].Row && k.Seq == want.keys[i].Seq &&
			bytes.Equal(k.Key, want.keys[i].Key)
		i++
		return nil
	})
	judge("EachKey", same && i == len(want.keys), err)
	if !same {
		t.Fatalf("%s: EachKey visits other keys", what)
	}
	rows, err := l.ReadRows(ctx, table, seg, allRows(len(want.rows)))
	judge("ReadRows", slices.EqualFunc(rows, want.rows, sameRow), err)
	last := int64(len(want.rows) - 1)
	rows, err = l.ReadRows(ctx, table, seg, []int64{last})
	judge("ReadRows of one", len(rows) == 1 && sameRow(rows[0], want.rows[last]), err)
	return failed
}

// specimen is a segment whose files the damage tests take apart.
type specimen struct {
	*bed
	table *kalam.Table
	seg   kalam.Segment
	keys  [][]byte
	want  reading
}

func newSpecimen(t *testing.T, r *rand.Rand, o laketest.ParquetOptions) *specimen {
	t.Helper()
	s := &specimen{bed: newBed(t, lake.Options{}), table: everyType()}
	rows := randomRows(r, s.table, 200, 0.2)
	s.seg = write(t, s.lake, s.table, "alice", rows, o)
	s.keys = encodedKeys(t, s.table, rows)
	s.want = reading{positions: allRows(len(rows)), rows: rows, keys: collect(t, s.lake, &s.seg)}
	return s
}

// fresh returns a lake that has cached nothing.
func (s *specimen) fresh(t *testing.T) *lake.Lake {
	t.Helper()
	l, err := lake.New(lake.Options{}, lake.Location{ID: kalam.LocalStorage, Storage: s.store})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// examine reads the segment through a lake that has cached nothing.
func (s *specimen) examine(t *testing.T, what string) (failed bool, scrubbed error) {
	t.Helper()
	l := s.fresh(t)
	failed = readAll(t, l, s.table, &s.seg, s.keys, &s.want, what)
	scrubbed = scrub(t.Context(), l, &s.seg)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return failed, scrubbed
}

// TestBitFlips turns over single bits of both files of a segment: what is read
// is right, or the damage is named. Scrub finds all of it.
func TestBitFlips(t *testing.T) {
	for name, o := range layouts {
		t.Run(name, func(t *testing.T) {
			r := seeded(t)
			s := newSpecimen(t, r, o)
			for _, p := range []string{s.seg.Path, keysOf(s.seg)} {
				whole := read(t, s.file(p))
				noticed := 0
				for i := range flips {
					bit := r.IntN(8 * len(whole))
					switch { // the ends are where the structure is
					case i%8 == 0:
						bit = 8*len(whole) - 1 - r.IntN(8*400)
					case i%8 == 1:
						bit = r.IntN(8 * 64)
					}
					damaged := slices.Clone(whole)
					damaged[bit/8] ^= 1 << (bit % 8)
					overwrite(t, s.file(p), damaged)
					what := fmt.Sprintf("bit %d of %s", bit, path.Ext(p))
					failed, err := s.examine(t, what)
					if failed {
						noticed++
					}
					wantCode(t, "Scrub with "+what, err, kalam.CodeCorrupt, p)
				}
				overwrite(t, s.file(p), whole)
				t.Logf("%s of %d bytes: %d bits turned over, %d met by reads, all found by Scrub", path.Ext(p),
					len(whole), flips, noticed)
			}
			if failed, err := s.examine(t, "no damage"); failed || err != nil {
				t.Errorf("the restored segment is damaged: %v", err)
			}
		})
	}
}

// TestBitFlipsUnderOpenFiles damages files that the lake holds open and has
// partly cached.
func TestBitFlipsUnderOpenFiles(t *testing.T) {
	r := seeded(t)
	s := newSpecimen(t, r, laketest.ParquetOptions{RowGroup: 64})
	l := s.fresh(t)
	defer l.Close()
	readAll(t, l, s.table, &s.seg, s.keys, &s.want, "before")
	for _, p := range []string{s.seg.Path, keysOf(s.seg)} {
		whole := read(t, s.file(p))
		for range 5 * flips {
			bit := r.IntN(8 * len(whole))
			damaged := slices.Clone(whole)
			damaged[bit/8] ^= 1 << (bit % 8)
			overwrite(t, s.file(p), damaged)
			readAll(t, l, s.table, &s.seg, s.keys, &s.want, fmt.Sprintf("bit %d of %s", bit, path.Ext(p)))
		}
		overwrite(t, s.file(p), whole)
	}
}

// TestOtherDamage does worse than turning bits over: cuts, additions, blocks of
// zeros, pieces of the same file in another place, the file of another segment.
func TestOtherDamage(t *testing.T) {
	r := seeded(t)
	s := newSpecimen(t, r, laketest.ParquetOptions{RowGroup: 60})
	other := newSpecimen(t, r, laketest.ParquetOptions{RowGroup: 60})
	for _, p := range []string{s.seg.Path, keysOf(s.seg)} {
		whole := read(t, s.file(p))
		foreign := read(t, other.file(strings.TrimSuffix(other.seg.Path, ".parquet")+path.Ext(p)))
		cases := map[string][]byte{
			"empty": nil, "one byte": whole[:1], "longer by a byte": append(slices.Clone(whole), 0),
			"doubled":                append(slices.Clone(whole), whole...),
			"without its first byte": whole[1:], "all zeros": make([]byte, len(whole)), "of another segment": foreign,
			"half another's": append(slices.Clone(whole[:len(whole)/2]), foreign[len(foreign)/2:]...),
		}
		for range 80 {
			n := r.IntN(len(whole))
			cases[fmt.Sprintf("cut at %d", n)] = whole[:n]
		}
		for range 30 {
			from, to, n := r.IntN(len(whole)), r.IntN(len(whole)), 1+r.IntN(5000)
			zeroed, moved := slices.Clone(whole), slices.Clone(whole)
			clear(zeroed[from:min(from+n, len(whole))])
			cases[fmt.Sprintf("%d zeros at %d", n, from)] = zeroed
			copy(moved[to:], whole[from:min(from+n, len(whole))])
			cases[fmt.Sprintf("%d bytes of %d at %d", n, from, to)] = moved
		}
		sums := s.seg.Sums
		for what, damaged := range cases {
			if bytes.Equal(damaged, whole) {
				continue
			}
			if s.seg.Sums = sums; r.IntN(2) == 0 {
				s.seg.Sums = kalam.SegmentSums{} // As an early version recorded it.
			}
			overwrite(t, s.file(p), damaged)
			what = path.Ext(p) + " " + what
			_, err := s.examine(t, what)
			wantCode(t, "Scrub of "+what, err, kalam.CodeCorrupt, strings.TrimSuffix(s.seg.Path, ".parquet"))
		}
		overwrite(t, s.file(p), whole)
	}
}

// TestSwappedSegments exchanges two whole segments of one table: nothing in the
// files is wrong, but they are not what the manifest says.
func TestSwappedSegments(t *testing.T) {
	b := newBed(t, lake.Options{})
	one := write(t, b.lake, notes(), "alice", noteRows(100, 0), laketest.ParquetOptions{})
	two := write(t, b.lake, notes(), "bob", noteRows(101, 0), laketest.ParquetOptions{})
	parquet, keys := read(t, b.file(two.Path)), read(t, b.file(keysOf(two)))
	overwrite(t, b.file(one.Path), parquet)
	overwrite(t, b.file(keysOf(one)), keys)
	_, err := b.lake.ReadRows(t.Context(), notes(), &one, []int64{0})
	wantCode(t, "ReadRows of another's rows", err, kalam.CodeCorrupt, strings.TrimSuffix(one.Path, ".parquet"))
	_, err = b.lake.Find(t.Context(), &one, [][]byte{noteKey(5)})
	wantCode(t, "Find in another's keys", err, kalam.CodeCorrupt, keysOf(one))
}

// TestRebuildOfDamagedFiles has no key index file to vouch for the file: what Rebuild
// accepts must be the rows as they were, as far as the file itself can tell.
func TestRebuildOfDamagedFiles(t *testing.T) {
	r := seeded(t)
	s := newSpecimen(t, r, laketest.ParquetOptions{RowGroup: 80})
	s.seg.Sums = kalam.SegmentSums{} // They would tell at once.
	whole, keys := read(t, s.file(s.seg.Path)), read(t, s.file(keysOf(s.seg)))
	refused := 0
	for i := range 3 * flips {
		bit := r.IntN(8 * len(whole))
		if i%4 == 0 {
			bit = 8*len(whole) - 1 - r.IntN(8*3000)
		}
		damaged := slices.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		overwrite(t, s.file(s.seg.Path), damaged)
		if err := os.Remove(s.file(keysOf(s.seg))); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		l := s.fresh(t)
		if err := l.Rebuild(t.Context(), s.table, &s.seg); err != nil {
			refused++
			wantCode(t, fmt.Sprintf("Rebuild with bit %d", bit), err, kalam.CodeCorrupt, s.seg.Path)
		} else if !bytes.Equal(keysWithoutSums(t, l, s), keysBytes(s.want.keys)) {
			t.Errorf("Rebuild with bit %d made other keys", bit)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	overwrite(t, s.file(s.seg.Path), whole)
	overwrite(t, s.file(keysOf(s.seg)), keys)
	t.Logf("%d bits turned over, Rebuild refused %d", 3*flips, refused)
}

func keysWithoutSums(t *testing.T, l *lake.Lake, s *specimen) []byte {
	t.Helper()
	return keysBytes(collect(t, l, &s.seg))
}

func keysBytes(keys []keyindex.Entry) []byte {
	var b []byte
	for _, k := range keys {
		b = fmt.Appendf(b, "%x %d %d\n", k.Key, k.Row, k.Seq)
	}
	return b
}

// TestManifestDamage turns over bits of manifest.json: SyncManifest restores it
// to the byte, except where the flip made it the manifest of a later version,
// which only a newer buffer can have written: that one is left as it is.
func TestManifestDamage(t *testing.T) {
	r := seeded(t)
	b := newBed(t, lake.Options{})
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	m := lake.Manifest{Version: 2, CreatedAt: noon, UpdatedAt: noon, Segments: []kalam.Segment{seg}}
	if err := b.lake.WriteManifest(t.Context(), notes(), "alice", m); err != nil {
		t.Fatal(err)
	}
	name := b.file(path.Dir(seg.Path) + "/manifest.json")
	whole := read(t, name)
	for range 6 * flips {
		bit := r.IntN(8 * len(whole))
		damaged := slices.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		overwrite(t, name, damaged)
		want, wantDid, wantErr := whole, true, error(nil)
		if versionOf(damaged) > m.Version {
			want, wantDid, wantErr = damaged, false, lake.ErrNewerManifest
		}
		did, err := b.lake.SyncManifest(t.Context(), ofAlice(m))
		if !errors.Is(err, wantErr) || did != wantDid || !bytes.Equal(read(t, name), want) {
			t.Fatalf("SyncManifest with bit %d = %v, %v; want %v, %v", bit, did, err, wantDid, wantErr)
		}
	}
	wantSegment(t, b.lake, notes(), seg, noteRows(3, 0))
}

// versionOf is the version that content names as a manifest.json, 0 when it is none.
func versionOf(content []byte) int64 {
	var head struct {
		Version int64 `json:"version"`
	}
	if json.Unmarshal(content, &head) != nil {
		return 0
	}
	return head.Version
}

// FuzzKeyIndexFile gives any bytes as the key index file of a segment.
func FuzzKeyIndexFile(f *testing.F) {
	b := newBed(f, lake.Options{})
	rows := keyRows("a", "b", "c", strings.Repeat("d", 5000), "e")
	seg := write(f, b.lake, keyed(), "alice", rows, laketest.ParquetOptions{})
	f.Add(read(f, b.file(keysOf(seg))))
	seg.Sums = kalam.SegmentSums{} // They would tell at once.
	f.Fuzz(func(t *testing.T, content []byte) {
		overwrite(t, b.file(keysOf(seg)), content)
		l := newLake(t, b.store, lake.Options{}, nil)
		at, err := l.Find(t.Context(), &seg, encodedKeys(t, keyed(), rows))
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("Find = %v", err)
		}
		for _, row := range at {
			if row >= seg.Rows {
				t.Errorf("Find gives row %d of %d", row, seg.Rows)
			}
		}
		if err := l.EachKey(t.Context(), &seg, func(keyindex.Entry) error { return nil }); err != nil &&
			kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("EachKey = %v", err)
		}
	})
}

// FuzzParquet gives any bytes as the Parquet file of a segment without key index file.
func FuzzParquet(f *testing.F) {
	b := newBed(f, lake.Options{})
	rows := noteRows(5, 0)
	seg := write(f, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	f.Add(read(f, b.file(seg.Path)))
	remove(f, b.file(keysOf(seg)))
	f.Fuzz(func(t *testing.T, content []byte) {
		overwrite(t, b.file(seg.Path), content)
		seg := seg
		seg.Bytes, seg.Sums = int64(len(content)), kalam.SegmentSums{} // They would tell at once.
		if err := b.lake.Rebuild(t.Context(), notes(), &seg); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt &&
			kalam.CodeOf(err) != kalam.CodeUnsupported {
			t.Errorf("Rebuild = %v", err)
		}
	})
}

// TestLocalPathOfDamagedFiles hands no damaged file to DuckDB, which would read
// it unchecked: by another process's damage, or under another storage's name.
func TestLocalPathOfDamagedFiles(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	rows := noteRows(500, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	whole := read(t, b.file(seg.Path))
	damaged := slices.Clone(whole)
	damaged[len(damaged)/2] ^= 4
	local := func(l *lake.Lake) error {
		f, err := l.LocalPath(ctx, &seg)
		if err == nil {
			err = f.Unchanged(ctx)
			f.Release()
		}
		return err
	}
	if err := local(b.lake); err != nil {
		t.Fatal(err)
	}
	overwrite(t, b.file(seg.Path), damaged)
	later := newLake(t, b.store, lake.Options{}, nowOf(b)) // as after a restart
	for range 2 {
		wantCode(t, "LocalPath", local(later), kalam.CodeCorrupt, seg.Path)
	}
	overwrite(t, b.file(seg.Path), whole)
	if err := local(later); err != nil {
		t.Errorf("LocalPath of the restored file = %v", err)
	}
	if err := later.Register(lake.Location{ID: kalam.LocalStorage, Storage: b.store}); err != nil {
		t.Fatal(err)
	}
	overwrite(t, b.file(seg.Path), damaged)
	wantCode(t, "LocalPath in a storage registered anew", local(later), kalam.CodeCorrupt, seg.Path)
	remove(t, b.file(keysOf(seg)))
	bare := newLake(t, b.store, lake.Options{}, nowOf(b))
	wantCode(t, "LocalPath without key index file", local(bare), kalam.CodeCorrupt, seg.Path)
	overwrite(t, b.file(seg.Path), whole)
	if err := local(bare); err != nil {
		t.Errorf("LocalPath of the whole file without key index file = %v", err)
	}
	seg.Sums = kalam.SegmentSums{} // As an early version recorded it: nothing vouches for the file.
	if err := local(newLake(t, b.store, lake.Options{}, nowOf(b))); !errors.Is(err, lake.ErrNoKeyIndex) {
		t.Errorf("LocalPath without key index file and sums = %v, want ErrNoKeyIndex", err)
	}
}
