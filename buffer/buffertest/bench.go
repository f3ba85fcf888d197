package buffertest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam/buffer"
)

// BenchmarkBackend measures what the write path and the loading of a scope ask
// of a Backend. open returns an empty one.
func BenchmarkBackend(b *testing.B, open func(b *testing.B) buffer.Backend) {
	for _, size := range []int{300, 16 << 10, 240 << 10} {
		b.Run(fmt.Sprintf("Apply/value=%d", size), func(b *testing.B) { benchmarkApply(b, open(b), size, false) })
	}
	b.Run("ApplyParallel/value=300", func(b *testing.B) { benchmarkApply(b, open(b), 300, true) })
	b.Run("Get", func(b *testing.B) { benchmarkGet(b, open(b)) })
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("Scan/keys=%d", n), func(b *testing.B) { benchmarkScan(b, open(b), n) })
	}
}

// random returns bytes that do not compress.
func random(n int) []byte {
	out := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // Benchmarks are to be repeatable.
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func benchmarkApply(b *testing.B, s buffer.Backend, size int, parallel bool) {
	must(b, "CreateKeyspace", s.CreateKeyspace(b.Context(), part))
	value := random(size)
	var n atomic.Uint64
	apply := func() {
		key := binary.BigEndian.AppendUint64(nil, n.Add(1))
		if err := s.Apply(context.Background(), []buffer.Op{{Keyspace: part, Key: key, Value: value}}); err != nil {
			b.Error(err)
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	if !parallel {
		for b.Loop() {
			apply()
		}
		return
	}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			apply()
		}
	})
}

// fill writes n keys with 300 bytes each.
func fill(b *testing.B, s buffer.Backend, n int) {
	must(b, "CreateKeyspace", s.CreateKeyspace(b.Context(), part))
	value := random(300)
	ops := make([]buffer.Op, 0, 1000)
	for i := range n {
		ops = append(ops, buffer.Op{Keyspace: part, Key: binary.BigEndian.AppendUint64(nil, uint64(i)), Value: value})
		if len(ops) == cap(ops) || i == n-1 {
			must(b, "Apply", s.Apply(b.Context(), ops))
			ops = ops[:0]
		}
	}
}

func benchmarkGet(b *testing.B, s buffer.Backend) {
	const n = 10_000
	fill(b, s, n)
	b.ReportAllocs()
	i := uint64(0)
	for b.Loop() {
		i = (i + 7919) % n
		if _, err := s.Get(b.Context(), part, binary.BigEndian.AppendUint64(nil, i)); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkScan(b *testing.B, s buffer.Backend, n int) {
	fill(b, s, n)
	b.ReportAllocs()
	for b.Loop() {
		seen := 0
		must(b, "Scan", s.Scan(b.Context(), part, nil, nil, func(_, _ []byte) error { seen++; return nil }))
		if seen != n {
			b.Fatalf("%d keys, want %d", seen, n)
		}
	}
}
