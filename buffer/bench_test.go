package buffer_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/memory"
)

// backends are what the benchmarks of the Store run on.
func backends(b *testing.B, run func(b *testing.B, open func() buffer.Backend)) {
	b.Run("memory", func(b *testing.B) { run(b, func() buffer.Backend { return memory.New() }) })
	b.Run("badger", func(b *testing.B) {
		run(b, func() buffer.Backend {
			back, err := badger.Open(b.TempDir(), badger.Options{})
			if err != nil {
				b.Fatalf("Open: %v", err)
			}
			b.Cleanup(func() {
				if err := back.Close(); err != nil {
					b.Errorf("Close: %v", err)
				}
			})
			return back
		})
	})
}

// benchStore opens a Store until the end of the benchmark.
func benchStore(b *testing.B, backend buffer.Backend) *buffer.Store {
	b.Helper()
	s, err := buffer.Open(b.Context(), backend, buffer.Options{Segments: newLake()})
	if err != nil {
		b.Fatalf("Open: %v", err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	return s
}

// benchBody makes a row of about 235 bytes.
var benchBody = strings.Repeat("a message of the usual length ", 7)

func BenchmarkApply(b *testing.B) {
	backends(b, func(b *testing.B, open func() buffer.Backend) {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("clients=%d", clients),
				func(b *testing.B) { benchmarkApply(b, benchStore(b, open()), clients, 1) })
		}
		for _, clients := range []int{1, 4} {
			b.Run(fmt.Sprintf("rows=1000,clients=%d", clients),
				func(b *testing.B) { benchmarkApply(b, benchStore(b, open()), clients, 1000) })
		}
	})
}

// benchmarkApply lets clients, each of their own user, insert rows.
func benchmarkApply(b *testing.B, s *buffer.Store, clients, rows int) {
	table := notes(1)
	var next, client atomic.Int64
	one := func(user kalam.UserID) {
		muts := make([]buffer.Mutation, rows)
		for i := range muts {
			muts[i] = insert(table, user, next.Add(1), benchBody)
		}
		if _, err := s.Apply(context.Background(), muts); err != nil {
			b.Error(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	if clients == 1 {
		for range b.N {
			one("client")
		}
	} else {
		b.SetParallelism((clients + 1) / 2)
		b.RunParallel(func(pb *testing.PB) {
			user := kalam.UserID(fmt.Sprint("client", client.Add(1)))
			for pb.Next() {
				one(user)
			}
		})
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
	st := s.Stats()
	b.ReportMetric(float64(st.Commits)/float64(max(st.Groups, 1)), "requests/batch")
}

// BenchmarkSnapshot reads a scope of 10,000 rows after each insert.
func BenchmarkSnapshot(b *testing.B) {
	table := notes(1)
	s := benchStore(b, memory.New())
	var muts []buffer.Mutation
	for i := range int64(10_000) {
		muts = append(muts, insert(table, "ann", i, benchBody))
	}
	if _, err := s.Apply(b.Context(), muts); err != nil {
		b.Fatal(err)
	}
	scopes := []buffer.TableScope{{Table: table, Scope: table.ScopeOf("ann")}}
	read := func() {
		snap, err := viewsOf(s, context.Background(), scopes)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := snap.View(0).Batches(false); err != nil {
			b.Fatal(err)
		}
		snap.Release()
	}
	read()
	next := int64(10_000)
	b.Run("AfterInsert", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			if _, err := s.Apply(context.Background(),
				[]buffer.Mutation{insert(table, "ann", next, benchBody)}); err != nil {
				b.Fatal(err)
			}
			next++
			b.StartTimer()
			read()
		}
	})
	b.Run("Unchanged", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			read()
		}
	})
}

// BenchmarkGet reads a row of the log by its key.
func BenchmarkGet(b *testing.B) {
	table := notes(1)
	s := benchStore(b, memory.New())
	var muts []buffer.Mutation
	for i := range int64(10_000) {
		muts = append(muts, insert(table, "ann", i, benchBody))
	}
	if _, err := s.Apply(b.Context(), muts); err != nil {
		b.Fatal(err)
	}
	key := keyOf(table, 4321)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := s.Get(context.Background(), table, table.ScopeOf("ann"), key); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkLoad loads a scope that is not in memory.
func BenchmarkLoad(b *testing.B) {
	table := notes(1)
	backends(b, func(b *testing.B, open func() buffer.Backend) {
		backend := open()
		s, err := buffer.Open(b.Context(), backend, buffer.Options{Segments: newLake(), HotBytes: 1})
		if err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		}()
		for i := range int64(1000) {
			if _, err := s.Apply(b.Context(), []buffer.Mutation{insert(table, "ann", i, benchBody)}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := s.Get(b.Context(), table, table.ScopeOf("ann"), []byte("x")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
