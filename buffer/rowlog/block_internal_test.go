package rowlog

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
)

// TestBlockBytes holds the format to docs/architecture/buffer-format.md.
func TestBlockBytes(t *testing.T) {
	w := NewBlockWriter(kalam.Scope{Table: 2, User: "a"}, 0x0102, 0)
	w.Append(Entry{Seq: 0x1000, Key: []byte{0xAA}, Payload: []byte{0xB1, 0xB2}}, RowRef{})
	w.Append(Entry{Seq: 0x1081, Tombstone: true, Key: []byte{0xCC}}, RowRef{Segment: 3, Row: 300})
	op := w.Seal()
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

// replacing is a version with the flushed row that it replaces.
type replacing struct {
	Entry
	superseded RowRef
}

// drawEntries draws the versions of a request.
func drawEntries(t *rapid.T) []replacing {
	n := rapid.IntRange(1, 40).Draw(t, "count")
	seq := kalam.Seq(rapid.Uint64Range(1, 1<<62).Draw(t, "seq"))
	out := make([]replacing, n)
	for i := range out {
		out[i].Entry = Entry{
			Seq: seq, Tombstone: rapid.Bool().Draw(t, "tombstone"),
			Key: rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "key"),
			Payload: bytes.Repeat([]byte{byte(i)},
				rapid.SampledFrom([]int{0, 1, 127, 128, 300, 20_000, 300_000}).Draw(t, "payload")),
		}
		if rapid.Bool().Draw(t, "superseded") {
			out[i].superseded = RowRef{Segment: kalam.SegmentID(rapid.Uint64Range(1, 1<<63).Draw(t, "segment")),
				Row: rapid.Uint32().Draw(t, "row")}
		}
		seq += kalam.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "step"))
	}
	return out
}

// TestBlocksRoundTrip writes versions into blocks and reads them back.
func TestBlocksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sc := kalam.Scope{Table: 7, User: "ann"}
		versions := drawEntries(t)
		before := kalam.Seq(5)
		w := NewBlockWriter(sc, before, rapid.IntRange(0, 100_000).Draw(t, "expect"))
		var blocks []Block
		for i, v := range versions {
			got, op, full := w.Append(v.Entry, v.superseded)
			if !bytes.Equal(got.Key, v.Key) || !bytes.Equal(got.Payload, v.Payload) || got.Seq != v.Seq {
				t.Fatalf("version %d came back as %+v", i, got)
			}
			if full {
				blocks = append(blocks, op)
			}
		}
		if w.Open() {
			blocks = append(blocks, w.Seal())
		}
		var read []replacing
		for _, op := range blocks {
			_, first, err := SplitBlockKey(op.Key)
			if err != nil {
				t.Fatalf("SplitBlockKey: %v", err)
			}
			begin := len(read)
			chained, err := DecodeBlock(sc, first, op.Value,
				func(v Entry, superseded RowRef) { read = append(read, replacing{v, superseded}) })
			if err != nil || chained != before {
				t.Fatalf("DecodeBlock = %d, %v, want %d", chained, err, before)
			}
			if !read[begin].StartsBlock || LastSeqBound(first, uint32(len(read)-begin)) < first {
				t.Errorf("block %d does not begin with its first version", first)
			}
			before = read[len(read)-1].Seq
		}
		for i := range read {
			read[i].StartsBlock = false
		}
		same := cmp.Comparer(func(a, b replacing) bool {
			return a.Seq == b.Seq && a.Tombstone == b.Tombstone && a.superseded == b.superseded &&
				bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Payload, b.Payload)
		})
		if diff := cmp.Diff(versions, read, same); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	})
}

// FuzzDecodeBlock reads arbitrary bytes, with a checksum that fits, as a block.
func FuzzDecodeBlock(f *testing.F) {
	w := NewBlockWriter(kalam.Scope{Table: 2, User: "a"}, 0, 0)
	w.Append(Entry{Seq: 1, Key: []byte("k"), Payload: []byte("p")}, RowRef{})
	f.Add(w.Seal().Value)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		sc := kalam.Scope{Table: 2, User: "a"}
		n := 0
		_, err := DecodeBlock(sc, 1, raw, func(Entry, RowRef) { n++ })
		if err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("DecodeBlock = %v", err)
		}
		if len(raw) < BlockHeader {
			return
		}
		fixed := append([]byte(nil), raw...)
		(&BlockWriter{buf: fixed, count: uint32(fixed[13])}).Seal()
		if _, err := DecodeBlock(sc, 1, fixed, func(Entry, RowRef) { n++ }); err != nil &&
			kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("DecodeBlock = %v", err)
		}
	})
}

// TestCounterBytes holds the record of a counter to docs/architecture/buffer-format.md.
func TestCounterBytes(t *testing.T) {
	key := CounterKey(kalam.Scope{Table: 2, User: "a"}, 3)
	if got := hex.EncodeToString(key); got != "0000000000000002"+"610001"+"00000003" || KeyspaceCounts != "sys_counts" {
		t.Errorf("key %s in %s", got, KeyspaceCounts)
	}
	if value := hex.EncodeToString(EncodeCounter(key, 258)); value[:2] != "01" || value[10:] != "0201000000000000" {
		t.Errorf("value %s", value)
	}
}
