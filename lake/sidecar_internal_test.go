package lake

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
)

// TestSidecarLayout is the example of docs/architecture/lake-format.md.
func TestSidecarLayout(t *testing.T) {
	keys := []KeyRow{
		{Key: []byte("ab\x00\x01"), Row: 2, Seq: 1002},
		{Key: []byte("abc\x00\x01"), Row: 0, Seq: 1000},
		{Key: []byte("b\x00\x01"), Row: 300, Seq: 1300},
	}
	spec := &sidecarSpec{table: 7, keys: keys, parquetBytes: 20000, parquetRows: 301, sums: encodeSums([]uint32{0x11223344, 0x55667788})}
	var b bytes.Buffer
	if _, _, err := writeSidecar(&b, spec); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/architecture/lake-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "seqs from 1000 on:\n\n```\n")
	example, _, _ = strings.Cut(example, "```")
	if diff := cmp.Diff(strings.ToLower(strings.Join(strings.Fields(example), "")), hex.EncodeToString(b.Bytes())); diff != "" {
		t.Errorf("sidecar (-document +got):\n%s", diff)
	}
	// CRC-32C of "123456789", so that the checksum is the one that the document names.
	if got := checksum([]byte("123456789")); got != 0xe3069283 {
		t.Errorf("checksum %#x", got)
	}
}

// TestSidecarOfAnotherVersion is refused with name and version, as a file of a
// later release would be.
func TestSidecarOfAnotherVersion(t *testing.T) {
	var b bytes.Buffer
	if _, _, err := writeSidecar(&b, &sidecarSpec{keys: []KeyRow{{Key: []byte("a")}}, parquetRows: 1}); err != nil {
		t.Fatal(err)
	}
	content := b.Bytes()
	content[len(content)-16] = 2
	s := &sidecar{path: "x.keys", file: bufferObject{bytes.NewReader(content)}}
	err := s.load(&kalam.Segment{Rows: 1})
	if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), "x.keys has the unknown sidecar version 2") {
		t.Errorf("load = %v", err)
	}
}

// TestMillionKeys is the largest segment that a flush is expected to make: half
// of two million keys, in random order.
func TestMillionKeys(t *testing.T) {
	const n = 1_000_000
	ids := rand.New(rand.NewPCG(1, 2)).Perm(2 * n)[:n]
	all := make([][]byte, 2*n)
	want := make([]Position, 2*n)
	for i := range all {
		all[i] = binary.BigEndian.AppendUint64(nil, uint64(i)*3)
		want[i].Row = -1
	}
	keys := make([]KeyRow, n)
	for i, id := range ids {
		keys[i] = KeyRow{Key: all[id], Row: uint32(i), Seq: kalam.Seq(1000 + i)}
		want[id] = Position{Row: int64(i), Seq: keys[i].Seq}
	}
	keys, err := prepareKeys(keys, n, 1000, 1000+n)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, _, err := writeSidecar(&b, &sidecarSpec{keys: keys, parquetRows: n}); err != nil {
		t.Fatal(err)
	}
	if size := b.Len(); size > 12*n {
		t.Errorf("the sidecar has %d bytes, over 12 a key", size)
	}
	s := &sidecar{path: "million.keys", file: bufferObject{bytes.NewReader(b.Bytes())}}
	if err := s.load(&kalam.Segment{Rows: n, MinSeq: 1000, MaxSeq: 1000 + n}); err != nil {
		t.Fatal(err)
	}
	found, err := s.locate(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, want) {
		t.Error("the positions are not those of the keys")
	}
	if _, err := s.scrub(t.Context(), &kalam.Segment{}, nil); err != nil {
		t.Error(err)
	}
}

// TestKeyStream: what a stream has encoded is the sidecar that the sorted list
// gives, byte for byte, and it gives up as soon as the list must be sorted or is
// not the segment's.
func TestKeyStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 3000, func(k []byte) string { return string(k) }).Draw(t, "keys")
		slices.SortFunc(all, bytes.Compare)
		min := kalam.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "min"))
		keys := make([]KeyRow, len(all))
		for i := range all {
			keys[i] = KeyRow{Key: all[i], Row: uint32(i), Seq: min + kalam.Seq(i*3)}
		}
		m := SegmentMeta{MinSeq: min, MaxSeq: keys[len(keys)-1].Seq, Rows: int64(len(keys))}
		stream := func(keys []KeyRow) *KeyStream {
			s := &KeyStream{blocks: newKeyBlocks(m.MinSeq), minSeq: m.MinSeq, maxSeq: m.MaxSeq}
			for _, k := range keys {
				s.Add(k)
			}
			return s
		}
		s := stream(keys)
		encoded := s.encoded(m)
		if encoded == nil || !bytes.Equal(s.first, all[0]) || !bytes.Equal(encoded.prev, all[len(all)-1]) {
			t.Fatalf("ordered keys were not encoded: %+v", s)
		}
		var got, want bytes.Buffer
		if _, _, err := writeSidecar(&got, &sidecarSpec{table: 3, blocks: encoded, parquetRows: m.Rows, sums: encodeSums([]uint32{7})}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := writeSidecar(&want, &sidecarSpec{table: 3, keys: keys, parquetRows: m.Rows, sums: encodeSums([]uint32{7})}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatal("the sidecars differ")
		}
		if stream(keys[1:]).encoded(m) != nil {
			t.Fatal("a stream that lacks a row was taken")
		}
		i := rapid.IntRange(0, len(keys)-1).Draw(t, "i")
		spoil := rapid.SampledFrom([]func(k *KeyRow){
			func(k *KeyRow) { k.Row++ }, func(k *KeyRow) { k.Seq = m.MinSeq - 1 }, func(k *KeyRow) { k.Seq = m.MaxSeq + 1 },
			func(k *KeyRow) { k.Key = make([]byte, maxKeyBytes+1); k.Key[0] = 0xff },
		}).Draw(t, "spoil")
		bad := slices.Clone(keys)
		spoil(&bad[i])
		if stream(bad).encoded(m) != nil {
			t.Fatalf("a stream with a bad key %d was taken", i)
		}
		if len(keys) > 1 {
			bad = slices.Clone(keys)
			j := (i + 1) % len(keys)
			bad[i].Key, bad[j].Key = bad[j].Key, bad[i].Key
			if stream(bad).encoded(m) != nil {
				t.Fatal("unordered keys were taken")
			}
			bad[i].Key, bad[j].Key = all[i], all[i]
			if stream(bad).encoded(m) != nil {
				t.Fatal("equal keys were taken")
			}
		}
		other := m
		other.MinSeq++
		if stream(keys).encoded(other) != nil {
			t.Fatal("a stream of other seqs was taken")
		}
	})
}
