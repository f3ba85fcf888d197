package lake_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
)

// The benchmarks here and in bench_internal_test.go are the measurements of
// docs/architecture/adrs/006-keys-of-flushed-rows.md.

// benchSizes are the numbers of rows of a segment, by name.
var benchSizes = []struct {
	name string
	rows int
}{{"rows=10k", 10_000}, {"rows=100k", 100_000}, {"rows=1M", 1_000_000}}

// benchRowGroup is the row group of a flush (package engine).
const benchRowGroup = 16384

// benchKind is a way to choose keys.
type benchKind struct {
	name  string
	table *kalam.Table
	key   func(i int) kalam.Value // of row i; rising or spread
	miss  func(i int) kalam.Value // within the range of the keys, in no row
}

// spread returns a number that depends on i in no visible way, each only once.
func spread(i int) uint64 { return uint64(i)*0x9E3779B97F4A7C15 + 0x1234567 }

func benchKinds() []benchKind {
	uuid := func(hi uint64) kalam.Value {
		return kalam.Text(fmt.Sprintf("%08x-%04x-4%03x-8000-%012x", hi>>32, hi>>16&0xffff, hi&0xfff,
			hi>>12&0xfffffffff))
	}
	return []benchKind{
		{"key=rising", notes(), func(i int) kalam.Value { return kalam.BigInt(int64(firstSeq) + int64(i)*4096) },
			func(i int) kalam.Value { return kalam.BigInt(int64(firstSeq) + int64(i)*4096 + 7) }},
		{"key=uuid", keyed(), func(i int) kalam.Value { return uuid(spread(i)) },
			func(i int) kalam.Value { return uuid(spread(i + 1<<40)) }},
	}
}

// benchSegment is a segment with a hundred bytes beside each key.
type benchSegment struct {
	*bed
	kind benchKind
	seg  kalam.Segment
	rows int
}

func newBenchSegment(b *testing.B, k benchKind, n int) *benchSegment {
	b.Helper()
	s := &benchSegment{bed: newBed(b, lake.Options{}), kind: k, rows: n}
	k.table.Columns[1].Type = kalam.TypeOf(kalam.KindText)
	body := make([]byte, 75)
	r := rand.New(rand.NewPCG(1, 1))
	rows := rowsOf(k.table, n, func(i int) []kalam.Value {
		for j := range body {
			body[j] = byte('a' + r.IntN(26))
		}
		values := make([]kalam.Value, len(k.table.Columns))
		values[0], values[1] = k.key(i), kalam.Text(string(body))
		return values
	})
	s.seg = write(b, s.lake, k.table, "alice", rows, laketest.ParquetOptions{RowGroup: benchRowGroup})
	return s
}

// encode returns the encoded key of a value.
func (s *benchSegment) encode(v kalam.Value) []byte {
	values := make([]kalam.Value, len(s.kind.table.Columns))
	values[0] = v
	return datatype.EncodeKey(nil, s.kind.table, values)
}

// lookups returns keys to ask for, in random order, and their rows.
func (s *benchSegment) lookups(hit bool) (keys [][]byte, rows []int64) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 4096 {
		i := r.IntN(s.rows - 1)
		if hit {
			keys, rows = append(keys, s.encode(s.kind.key(i))), append(rows, int64(i))
		} else {
			keys, rows = append(keys, s.encode(s.kind.miss(i))), append(rows, -1)
		}
	}
	return keys, rows
}

// eachSegment runs f for every kind and size.
func eachSegment(b *testing.B, f func(b *testing.B, s *benchSegment)) {
	for _, k := range benchKinds() {
		for _, size := range benchSizes {
			b.Run(k.name+"/"+size.name, func(b *testing.B) { f(b, newBenchSegment(b, k, size.rows)) })
		}
	}
}

// BenchmarkFind is one key through the key index file: "warm" with the index in
// memory, "cold" with a lake that opens the file for it.
func BenchmarkFind(b *testing.B) {
	eachSegment(b, func(b *testing.B, s *benchSegment) {
		for _, hit := range []bool{true, false} {
			keys, rows := s.lookups(hit)
			find := func(b *testing.B, l *lake.Lake, i int) {
				at, err := l.Find(b.Context(), &s.seg, keys[i:i+1])
				if err != nil || at[0] != rows[i] {
					b.Fatalf("Find = %v, %v; want %d", at, err, rows[i])
				}
			}
			b.Run(map[bool]string{true: "hit", false: "miss"}[hit]+"/warm", func(b *testing.B) {
				find(b, s.lake, 0)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					find(b, s.lake, i%len(keys))
				}
			})
			b.Run(map[bool]string{true: "hit", false: "miss"}[hit]+"/cold", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					l, err := lake.New(lake.Options{}, lake.Location{ID: kalam.LocalStorage, Storage: s.store})
					if err != nil {
						b.Fatal(err)
					}
					find(b, l, i%len(keys))
					if err := l.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkFindMany is the check of 1,000 keys of one INSERT.
func BenchmarkFindMany(b *testing.B) {
	eachSegment(b, func(b *testing.B, s *benchSegment) {
		keys, _ := s.lookups(true)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.lake.Find(b.Context(), &s.seg, keys[:1000]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// scanner finds keys without key index file: by the ranges of the row groups in the
// footer, and then by decoding the key column of each group that may hold it.
type scanner struct {
	file *os.File
	meta *metadata.FileMetaData
}

func openScanner(b *testing.B, name string) *scanner {
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	r, err := file.NewParquetReader(f)
	if err != nil {
		b.Fatal(err)
	}
	return &scanner{file: f, meta: r.MetaData()}
}

// mayHold reports whether the range of a group includes the key.
func (s *scanner) mayHold(group int, key kalam.Value) bool {
	column, err := s.meta.RowGroup(group).ColumnChunk(0)
	if err != nil {
		return true
	}
	stats, err := column.Statistics()
	if err != nil || stats == nil || !stats.HasMinMax() {
		return true
	}
	switch st := stats.(type) {
	case *metadata.Int64Statistics:
		return key.Int() >= st.Min() && key.Int() <= st.Max()
	case *metadata.ByteArrayStatistics:
		return key.Str() >= st.Min().String() && key.Str() <= st.Max().String()
	}
	return true
}

var scanBuffers = sync.Pool{New: func() any { return new([benchRowGroup]int64) }}

// find returns the row of a key, -1 without one, and the groups it decoded.
func (s *scanner) find(b *testing.B, key kalam.Value) (row int64, groups int) {
	r, err := file.NewParquetReader(s.file, file.WithMetadata(s.meta))
	if err != nil {
		b.Fatal(err)
	}
	start := int64(0)
	for g := range s.meta.NumRowGroups() {
		n := s.meta.RowGroup(g).NumRows()
		if s.mayHold(g, key) {
			groups++
			column, err := r.RowGroup(g).Column(0)
			if err != nil {
				b.Fatal(err)
			}
			if i := scanColumn(b, column, n, key); i >= 0 {
				return start + i, groups
			}
		}
		start += n
	}
	return -1, groups
}

func scanColumn(b *testing.B, column file.ColumnChunkReader, n int64, key kalam.Value) int64 {
	defer column.Close()
	levels := make([]int16, benchRowGroup)
	switch c := column.(type) {
	case *file.Int64ColumnChunkReader:
		values := scanBuffers.Get().(*[benchRowGroup]int64)
		defer scanBuffers.Put(values)
		if _, _, err := c.ReadBatch(n, values[:n], levels, nil); err != nil {
			b.Fatal(err)
		}
		for i := range n {
			if values[i] == key.Int() {
				return i
			}
		}
	case *file.ByteArrayColumnChunkReader:
		want := []byte(key.Str())
		values := make([]parquet.ByteArray, n)
		for at := int64(0); at < n; {
			got, _, err := c.ReadBatchInPage(n-at, values, levels, nil)
			if err != nil || got == 0 {
				b.Fatal(got, err)
			}
			for i := range got {
				if bytes.Equal(values[i], want) {
					return at + i
				}
			}
			at += got
		}
	}
	return -1
}

// BenchmarkScan is BenchmarkFind without key index file.
func BenchmarkScan(b *testing.B) {
	eachSegment(b, func(b *testing.B, s *benchSegment) {
		name := filepath.Clean(s.file(s.seg.Path))
		r := rand.New(rand.NewPCG(3, 3))
		for _, hit := range []bool{true, false} {
			find := func(b *testing.B, sc *scanner) int {
				i := r.IntN(s.rows - 1)
				want, key := int64(i), s.kind.key(i)
				if !hit {
					want, key = -1, s.kind.miss(i)
				}
				row, groups := sc.find(b, key)
				if row != want {
					b.Fatalf("found %d, want %d", row, want)
				}
				return groups
			}
			b.Run(map[bool]string{true: "hit", false: "miss"}[hit]+"/warm", func(b *testing.B) {
				sc := openScanner(b, name)
				defer sc.file.Close()
				groups, n := 0, 0
				b.ReportAllocs()
				for b.Loop() {
					groups += find(b, sc)
					n++
				}
				b.ReportMetric(float64(groups)/float64(n), "groups/op")
			})
			b.Run(map[bool]string{true: "hit", false: "miss"}[hit]+"/cold", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sc := openScanner(b, name)
					find(b, sc)
					if err := sc.file.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkReadRow is what follows a hit: the row at a position, from its group
// in the file and from a group that is kept decoded.
func BenchmarkReadRow(b *testing.B) {
	for _, k := range benchKinds() {
		s := newBenchSegment(b, k, 100_000)
		for name, o := range map[string]lake.Options{"file": {RowCacheBytes: -1}, "cached": {RowCacheBytes: 1 << 30}} {
			b.Run(k.name+"/"+name, func(b *testing.B) {
				l := newLake(b, s.store, o, nowOf(s.bed))
				at := make([]int64, 1)
				read := func(i int) {
					at[0] = int64(i*7919) % 1000
					if _, err := l.ReadRows(b.Context(), k.table, &s.seg, at); err != nil {
						b.Fatal(err)
					}
				}
				for i := range 4 {
					read(i)
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					read(i)
				}
			})
		}
	}
}

// BenchmarkLend lends a file that was checked to a query, and asks at the end whether
// it was changed.
func BenchmarkLend(b *testing.B) {
	s := newBenchSegment(b, benchKinds()[0], 10_000)
	time.Sleep(100 * time.Millisecond) // Until the times of the file tell of every change.
	b.ReportAllocs()
	for b.Loop() {
		f, err := s.lake.LocalPath(b.Context(), &s.seg)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Unchanged(b.Context()); err != nil {
			b.Fatal(err)
		}
		f.Release()
	}
}
