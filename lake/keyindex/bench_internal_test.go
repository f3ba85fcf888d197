package keyindex

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kalamlake/kalam"
)

// benchKeys returns the keys of n rows in log order: rising BIGINTs, or random
// UUIDs as TEXT.
func benchKeys(kind string, n int) []Entry {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([]Entry, n)
	for i := range keys {
		k := Entry{Row: uint32(i), Seq: 1<<57 + kalam.Seq(i)}
		if kind == "rising" {
			k.Key = binary.BigEndian.AppendUint64(nil, 1<<63|uint64(k.Seq))
		} else {
			k.Key = fmt.Appendf(nil, "%08x-%04x-4%03x-8000-%012x\x00\x01", r.Uint32(), r.Uint32()&0xffff,
				r.Uint32()&0xfff, r.Uint64()&(1<<48-1))
		}
		keys[i] = k
	}
	return keys
}

// BenchmarkBuildKeyIndexFile sorts and writes the keys of a flush, and reports the
// size of the file and of the opened index per key.
func BenchmarkBuildKeyIndexFile(b *testing.B) {
	for _, kind := range []string{"rising", "uuid"} {
		for name, n := range map[string]int{"rows=10k": 10_000, "rows=100k": 100_000, "rows=1M": 1_000_000} {
			b.Run("key="+kind+"/"+name, func(b *testing.B) {
				original := benchKeys(kind, n)
				keys := make([]Entry, n)
				var w bytes.Buffer
				b.ReportAllocs()
				for b.Loop() {
					copy(keys, original)
					w.Reset()
					sorted, err := Prepare(keys, int64(n), original[0].Seq, original[n-1].Seq)
					if err != nil {
						b.Fatal(err)
					}
					if _, _, err := Write(&w,
						&Contents{Keys: sorted, ParquetRows: int64(n), Parquet: blocks()}); err != nil {
						b.Fatal(err)
					}
				}
				s := &File{path: "bench", file: bufferObject{bytes.NewReader(w.Bytes())}}
				if err := s.load(&kalam.Segment{Rows: int64(n), MinSeq: baseSeq(keys), MaxSeq: 1 << 62}); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(w.Len())/float64(n), "B/key")
				b.ReportMetric(float64(s.Memory())/float64(n), "memB/key")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
			})
		}
	}
}

// bufferObject is an Object in memory.
type bufferObject struct{ *bytes.Reader }

// Size implements Object.
func (o bufferObject) Size() int64 { return o.Reader.Size() }

// Close implements Object.
func (bufferObject) Close() error { return nil }
