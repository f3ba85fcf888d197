package keyindex

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
	"github.com/kalamlake/kalam/lake/integrity"
)

// blocks returns the checksums of the blocks of a file.
func blocks(sums ...uint32) integrity.Blocks {
	b := integrity.Blocks{Size: integrity.BlockSize}
	for _, sum := range sums {
		b.Sums = binary.LittleEndian.AppendUint32(b.Sums, sum)
	}
	return b
}

// TestKeyIndexFileLayout is the example of docs/architecture/lake-format.md.
func TestKeyIndexFileLayout(t *testing.T) {
	keys := []Entry{
		{Key: []byte("ab\x00\x01"), Row: 2, Seq: 1002},
		{Key: []byte("abc\x00\x01"), Row: 0, Seq: 1000},
		{Key: []byte("b\x00\x01"), Row: 300, Seq: 1300},
	}
	spec := &Contents{Table: 7, Keys: keys, ParquetBytes: 20000, ParquetRows: 301,
		Parquet: blocks(0x11223344, 0x55667788)}
	var b bytes.Buffer
	if _, _, err := Write(&b, spec); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/architecture/lake-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "seqs from 1000 on:\n\n```\n")
	example, _, _ = strings.Cut(example, "```")
	if diff := cmp.Diff(strings.ToLower(strings.Join(strings.Fields(example), "")),
		hex.EncodeToString(b.Bytes())); diff != "" {
		t.Errorf("key index file (-document +got):\n%s", diff)
	}
	// CRC-32C of "123456789", so that the checksum is the one that the document names.
	if got := integrity.Checksum([]byte("123456789")); got != 0xe3069283 {
		t.Errorf("checksum %#x", got)
	}
}

// TestKeyIndexFileOfAnotherVersion is refused with name and version, as a file of a
// later release would be.
func TestKeyIndexFileOfAnotherVersion(t *testing.T) {
	var b bytes.Buffer
	if _, _, err := Write(&b, &Contents{Keys: []Entry{{Key: []byte("a")}}, ParquetRows: 1,
		Parquet: blocks()}); err != nil {
		t.Fatal(err)
	}
	content := b.Bytes()
	content[len(content)-16] = 2
	s := &File{path: "x.keys", file: bufferObject{bytes.NewReader(content)}}
	err := s.load(&kalam.Segment{Rows: 1})
	if kalam.CodeOf(err) != kalam.CodeCorrupt ||
		!strings.Contains(err.Error(), "x.keys has the unknown key index file version 2") {
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
	keys := make([]Entry, n)
	for i, id := range ids {
		keys[i] = Entry{Key: all[id], Row: uint32(i), Seq: kalam.Seq(1000 + i)}
		want[id] = Position{Row: int64(i), Seq: keys[i].Seq}
	}
	keys, err := Prepare(keys, n, 1000, 1000+n)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, _, err := Write(&b, &Contents{Keys: keys, ParquetRows: n, Parquet: blocks()}); err != nil {
		t.Fatal(err)
	}
	if size := b.Len(); size > 12*n {
		t.Errorf("the key index file has %d bytes, over 12 a key", size)
	}
	s := &File{path: "million.keys", file: bufferObject{bytes.NewReader(b.Bytes())}}
	if err := s.load(&kalam.Segment{Rows: n, MinSeq: 1000, MaxSeq: 1000 + n}); err != nil {
		t.Fatal(err)
	}
	found, err := s.Locate(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, want) {
		t.Error("the positions are not those of the keys")
	}
	if _, err := s.Scrub(t.Context(), &kalam.Segment{}, nil); err != nil {
		t.Error(err)
	}
}

// TestStream: what a stream has encoded is the key index file that the sorted list
// gives, byte for byte, and it gives up as soon as the list must be sorted or is
// not the segment's.
func TestStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(rapid.SliceOfN(rapid.Byte(), 1, 40), 1, 3000,
			func(k []byte) string { return string(k) }).Draw(t, "keys")
		slices.SortFunc(all, bytes.Compare)
		min := kalam.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "min"))
		keys := make([]Entry, len(all))
		for i := range all {
			keys[i] = Entry{Key: all[i], Row: uint32(i), Seq: min + kalam.Seq(i*3)}
		}
		rows, max := int64(len(keys)), keys[len(keys)-1].Seq
		stream := func(keys []Entry) *Stream {
			s := NewStream(min, max)
			for _, k := range keys {
				s.Add(k)
			}
			return s
		}
		s := stream(keys)
		if low, high := s.Range(); !s.Complete(rows, min, max) || !bytes.Equal(low, all[0]) ||
			!bytes.Equal(high, all[len(all)-1]) {
			t.Fatalf("ordered keys were not encoded: %+v", s)
		}
		var got, want bytes.Buffer
		if _, _, err := Write(&got, &Contents{Table: 3, Stream: s, ParquetRows: rows, Parquet: blocks(7)}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Write(&want, &Contents{Table: 3, Keys: keys, ParquetRows: rows,
			Parquet: blocks(7)}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatal("the key index files differ")
		}
		if stream(keys[1:]).Complete(rows, min, max) {
			t.Fatal("a stream that lacks a row was taken")
		}
		i := rapid.IntRange(0, len(keys)-1).Draw(t, "i")
		spoil := rapid.SampledFrom([]func(k *Entry){
			func(k *Entry) { k.Row++ }, func(k *Entry) { k.Seq = min - 1 }, func(k *Entry) { k.Seq = max + 1 },
			func(k *Entry) { k.Key = make([]byte, maxKeyBytes+1); k.Key[0] = 0xff },
		}).Draw(t, "spoil")
		bad := slices.Clone(keys)
		spoil(&bad[i])
		if stream(bad).Complete(rows, min, max) {
			t.Fatalf("a stream with a bad key %d was taken", i)
		}
		if len(keys) > 1 {
			bad = slices.Clone(keys)
			j := (i + 1) % len(keys)
			bad[i].Key, bad[j].Key = bad[j].Key, bad[i].Key
			if stream(bad).Complete(rows, min, max) {
				t.Fatal("unordered keys were taken")
			}
			bad[i].Key, bad[j].Key = all[i], all[i]
			if stream(bad).Complete(rows, min, max) {
				t.Fatal("equal keys were taken")
			}
		}
		if stream(keys).Complete(rows, min+1, max) {
			t.Fatal("a stream of other seqs was taken")
		}
	})
}
