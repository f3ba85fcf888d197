package buffer

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
)

// FuzzScopePrefix checks that the key range of no scope holds a key of another
// one, and that keys can be read back.
func FuzzScopePrefix(f *testing.F) {
	f.Add(uint64(1), "a", uint64(1), "aa", uint64(5), uint64(6))
	f.Add(uint64(1), "a", uint64(1), "a\x00", uint64(0), uint64(1<<63))
	f.Add(uint64(1), "a\x00", uint64(1), "a\x00\x01", uint64(1), uint64(1))
	f.Add(uint64(0), "", uint64(256), "\xff", uint64(1), uint64(1))
	f.Add(uint64(1), "\x00\x01", uint64(1), "", uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, t1 uint64, u1 string, t2 uint64, u2 string, s1, s2 uint64) {
		a := kalam.Scope{Table: kalam.TableNumber(t1), User: kalam.UserID(u1)}
		b := kalam.Scope{Table: kalam.TableNumber(t2), User: kalam.UserID(u2)}
		ka, kb := logKey(a, kalam.Seq(s1)), logKey(b, kalam.Seq(s2))
		for _, c := range []struct {
			sc  kalam.Scope
			key []byte
			seq uint64
		}{{a, ka, s1}, {b, kb, s2}} {
			sc, seq, err := splitLogKey(c.key)
			if err != nil || sc != c.sc || uint64(seq) != c.seq {
				t.Errorf("splitLogKey(%x) = %v, %d, %v, want %v, %d", c.key, sc, seq, err, c.sc, c.seq)
			}
		}
		start, end := scopePrefix(a), prefixEnd(scopePrefix(a))
		inside := bytes.Compare(kb, start) >= 0 && bytes.Compare(kb, end) < 0
		if inside != (a == b) {
			t.Errorf("key %x of %v lies in the range of %v", kb, b, a)
		}
		table, tableEnd := tablePrefix(a.Table), prefixEnd(tablePrefix(a.Table))
		if tableEnd != nil && (bytes.Compare(kb, table) >= 0 && bytes.Compare(kb, tableEnd) < 0) != (t1 == t2) {
			t.Errorf("key %x of %v and the range of table %d", kb, b, t1)
		}
		if a == b && (bytes.Compare(ka, kb) < 0) != (s1 < s2) {
			t.Errorf("keys of %d and %d are not in their order", s1, s2)
		}
		if t1 == t2 && u1 != u2 && (bytes.Compare(ka, kb) < 0) != (u1 < u2) {
			t.Errorf("keys of %q and %q are not in their order", u1, u2)
		}
	})
}

// FuzzSplitKeys reads arbitrary bytes as keys.
func FuzzSplitKeys(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x0112345678"))
	f.Add([]byte("intent/0123456789012345"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if sc, seq, err := splitLogKey(key); err == nil {
			if back := logKey(sc, seq); !bytes.Equal(back, key) {
				t.Errorf("splitLogKey(%x) = %v, %d, which is %x", key, sc, seq, back)
			}
		}
		if r, err := splitIntentKey(key); err == nil && strings.HasPrefix(string(key), metaIntentPrefix) {
			if back := intentKey(r.first, r.last); !bytes.Equal(back, key) {
				t.Errorf("splitIntentKey(%x) = %v, which is %x", key, r, back)
			}
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{
		{"a", "b"}, {"a\xff", "b"}, {"\x00", "\x01"}, {"a\xfe\xff\xff", "a\xff"},
	} {
		if got := prefixEnd([]byte(c.prefix)); string(got) != c.want {
			t.Errorf("prefixEnd(%q) = %q, want %q", c.prefix, got, c.want)
		}
	}
	if got := prefixEnd([]byte("\xff\xff")); got != nil {
		t.Errorf("prefixEnd of the highest = %q, want nil", got)
	}
}

// TestBlockBytes holds the format to docs/architecture/buffer-format.md.
func TestBlockBytes(t *testing.T) {
	w := blockWriter{scope: kalam.Scope{Table: 2, User: "a"}, last: 0x0102}
	w.append(version{seq: 0x1000, key: []byte{0xAA}, payload: []byte{0xB1, 0xB2}}, base{})
	w.append(version{seq: 0x1081, tombstone: true, key: []byte{0xCC}}, base{segment: 3, row: 300})
	op := w.seal()
	if got, want := hex.EncodeToString(op.Key), "0000000000000002"+"61"+"0001"+"0000000000001000"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	want := "01" + "51087baa" + "0201000000000000" + "02000000" +
		"00" + "00" + "01aa" + "02b1b2" +
		"8101" + "03" + "03" + "ac02" + "01cc" + "00"
	if got := hex.EncodeToString(op.Value); got != want {
		t.Errorf("block\n%s, want\n%s", got, want)
	}
}

// based is a version with the flushed row that it replaces.
type based struct {
	version
	from base
}

// drawVersions draws the versions of a request.
func drawVersions(t *rapid.T) []based {
	n := rapid.IntRange(1, 40).Draw(t, "count")
	seq := kalam.Seq(rapid.Uint64Range(1, 1<<62).Draw(t, "seq"))
	out := make([]based, n)
	for i := range out {
		out[i].version = version{
			seq: seq, tombstone: rapid.Bool().Draw(t, "tombstone"),
			key:     rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "key"),
			payload: bytes.Repeat([]byte{byte(i)}, rapid.SampledFrom([]int{0, 1, 127, 128, 300, 20_000, 300_000}).Draw(t, "payload")),
		}
		if rapid.Bool().Draw(t, "based") {
			out[i].from = base{segment: kalam.SegmentID(rapid.Uint64Range(1, 1<<63).Draw(t, "segment")), row: rapid.Uint32().Draw(t, "row")}
		}
		seq += kalam.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "step"))
	}
	return out
}

// TestBlocksRoundTrip writes versions into blocks and reads them back.
func TestBlocksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := kalam.Scope{Table: 7, User: "ann"}
		versions := drawVersions(t)
		before := kalam.Seq(5)
		w := blockWriter{scope: sc, last: before, expect: rapid.IntRange(0, 100_000).Draw(t, "expect")}
		var blocks []Op
		for i, v := range versions {
			got, op, full := w.append(v.version, v.from)
			if !bytes.Equal(got.key, v.key) || !bytes.Equal(got.payload, v.payload) || got.seq != v.seq {
				t.Fatalf("version %d came back as %+v", i, got)
			}
			if full {
				blocks = append(blocks, op)
			}
		}
		if w.open() {
			blocks = append(blocks, w.seal())
		}
		var read []based
		for _, op := range blocks {
			_, first, err := splitLogKey(op.Key)
			if err != nil {
				t.Fatalf("splitLogKey: %v", err)
			}
			opens := len(read)
			chained, err := decodeBlock(sc, first, op.Value, func(v version, from base) { read = append(read, based{v, from}) })
			if err != nil || chained != before {
				t.Fatalf("decodeBlock = %d, %v, want %d", chained, err, before)
			}
			if !read[opens].opens || lastSeqBound(first, uint32(len(read)-opens)) < first {
				t.Errorf("block %d does not begin with its first version", first)
			}
			before = read[len(read)-1].seq
		}
		for i := range read {
			read[i].opens = false
		}
		same := cmp.Comparer(func(a, b based) bool {
			return a.seq == b.seq && a.tombstone == b.tombstone && a.from == b.from && bytes.Equal(a.key, b.key) && bytes.Equal(a.payload, b.payload)
		})
		if diff := cmp.Diff(versions, read, same); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	})
}

// FuzzDecodeBlock reads arbitrary bytes, with a checksum that fits, as a block.
func FuzzDecodeBlock(f *testing.F) {
	w := blockWriter{scope: kalam.Scope{Table: 2, User: "a"}}
	w.append(version{seq: 1, key: []byte("k"), payload: []byte("p")}, base{})
	f.Add(w.seal().Value)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		sc := kalam.Scope{Table: 2, User: "a"}
		n := 0
		_, err := decodeBlock(sc, 1, raw, func(version, base) { n++ })
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("decodeBlock = %v", err)
		}
		if len(raw) < blockHeader {
			return
		}
		fixed := append([]byte(nil), raw...)
		(&blockWriter{buf: fixed, count: uint32(fixed[13])}).seal()
		if _, err := decodeBlock(sc, 1, fixed, func(version, base) { n++ }); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("decodeBlock = %v", err)
		}
	})
}

func TestManifestRoundTrip(t *testing.T) {
	sc := kalam.Scope{Table: 7, User: "ann"}
	now := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	l := &lakeState{last: 9}
	l.Manifest = Manifest{Version: 3, Watermark: 77, CreatedAt: now, UpdatedAt: now.Add(time.Second), FlushedAt: now.Add(time.Minute), Forgotten: 70}
	l.Segments = []kalam.Segment{
		{ID: 4, Storage: "local", Path: "users/ann/x.parquet", MinSeq: 1, MaxSeq: 70, Rows: 5, Tombstones: 1, MinKey: []byte{1}, MaxKey: []byte{9}, SchemaVersion: 2, Table: 7, CreatedAt: now, User: "ann",
			Sums: kalam.SegmentSums{File: 1, Footer: 2, Keys: 3, KeysBytes: 4}},
		{ID: 9, Path: "b", User: "ann"},
	}
	l.vectors = []vectors{{dead: roaring.BitmapOf(1, 2, 100_000), tombstones: roaring.BitmapOf(3)}, {}}
	raw, err := encodeManifest(l)
	if err != nil {
		t.Fatalf("encodeManifest: %v", err)
	}
	back, err := decodeManifest(sc, raw)
	if err != nil {
		t.Fatalf("decodeManifest: %v", err)
	}
	if diff := cmp.Diff(l.Manifest, back.Manifest); diff != "" || back.last != 9 {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	for i := range l.vectors {
		for _, pair := range [][2]*roaring.Bitmap{{l.vectors[i].dead, back.vectors[i].dead}, {l.vectors[i].tombstones, back.vectors[i].tombstones}} {
			if (pair[0] == nil) != (pair[1] == nil) || pair[0] != nil && !pair[0].Equals(pair[1]) {
				t.Errorf("vectors of segment %d: %v, want %v", i, pair[1], pair[0])
			}
		}
	}
}

// TestManifestWithoutFlushTime reads a manifest from before the time of the last flush
// was kept: that of its last commit stands for it.
func TestManifestWithoutFlushTime(t *testing.T) {
	const at = `"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:05:00Z"`
	for segments, want := range map[string]bool{`[{"id":1}]`: true, `[]`: false} {
		body := `{"version":2,"watermark":7,"last_segment":1,` + at + `,"segments":` + segments + `}`
		l, err := decodeManifest(kalam.Scope{}, sealManifest([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if got := l.lastFlush(); got.IsZero() == want || want && !got.Equal(l.UpdatedAt) {
			t.Errorf("last flush of a manifest with the segments %s: %s", segments, got)
		}
	}
}

// FuzzDecodeManifest reads arbitrary bytes, with a checksum that fits, as a
// manifest.
func FuzzDecodeManifest(f *testing.F) {
	raw, err := encodeManifest(&lakeState{Manifest: Manifest{Version: 1, Segments: []kalam.Segment{{ID: 1}}}, vectors: []vectors{{dead: roaring.BitmapOf(1)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[sumHeader:])
	f.Add([]byte(`{"segments":[{"dead":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sealed := sealManifest(body)
		if _, err := decodeManifest(kalam.Scope{}, sealed); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("decodeManifest = %v", err)
		}
	})
}
