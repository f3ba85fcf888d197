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

	"github.com/kalamlake/kalam"
)

// TestSidecarLayout is the example of docs/architecture/lake-format.md.
func TestSidecarLayout(t *testing.T) {
	keys := []KeyRow{
		{Key: []byte("ab\x00\x01"), Row: 2, Seq: 1002},
		{Key: []byte("abc\x00\x01"), Row: 0, Seq: 1000},
		{Key: []byte("b\x00\x01"), Row: 300, Seq: 1300},
	}
	spec := &sidecarSpec{table: 7, keys: keys, parquetBytes: 20000, parquetRows: 301, sums: []uint32{0x11223344, 0x55667788}}
	var b bytes.Buffer
	if err := writeSidecar(&b, spec); err != nil {
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
	if err := writeSidecar(&b, &sidecarSpec{keys: []KeyRow{{Key: []byte("a")}}, parquetRows: 1}); err != nil {
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
	if err := writeSidecar(&b, &sidecarSpec{keys: keys, parquetRows: n}); err != nil {
		t.Fatal(err)
	}
	if size := b.Len(); size > 12*n {
		t.Errorf("the sidecar has %d bytes, over 12 a key", size)
	}
	s := &sidecar{path: "million.keys", file: bufferObject{bytes.NewReader(b.Bytes())}}
	if err := s.load(&kalam.Segment{Rows: n}); err != nil {
		t.Fatal(err)
	}
	found, err := s.locate(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, want) {
		t.Error("the positions are not those of the keys")
	}
	if err := s.scrub(t.Context()); err != nil {
		t.Error(err)
	}
}
