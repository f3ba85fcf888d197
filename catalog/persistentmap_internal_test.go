package catalog

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// TestPersistentMapModel compares a persistentMap, and older states of it, with maps.
func TestPersistentMapModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type state struct {
			d persistentMap[int, string]
			m map[int]string
		}
		states := []state{{m: map[int]string{}}}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			s := states[rapid.IntRange(max(len(states)-3, 0), len(states)-1).Draw(t, "from")]
			next := state{m: maps.Clone(s.m)}
			k := rapid.IntRange(0, 40).Draw(t, "key")
			if rapid.Bool().Draw(t, "remove") {
				next.d = s.d.without(k)
				delete(next.m, k)
			} else {
				v := rapid.String().Draw(t, "value")
				next.d = s.d.with(k, v)
				next.m[k] = v
			}
			states = append(states, next)
		}
		for i, s := range states {
			if got := maps.Collect(s.d.all()); !maps.Equal(got, s.m) || s.d.len() != len(s.m) {
				t.Fatalf("state %d: %v (%d entries), want %v", i, got, s.d.len(), s.m)
			}
			for k := range 41 {
				v, ok := s.d.get(k)
				if want, exists := s.m[k]; ok != exists || v != want {
					t.Fatalf("state %d: get(%d) = %q, %v", i, k, v, ok)
				}
			}
			for range s.d.all() { // Leaving early is fine.
				break
			}
		}
	})
}

func TestPersistentMapLoad(t *testing.T) {
	var d persistentMap[int, int]
	for i := range 1000 {
		d.load(i%500, i)
	}
	for i := range 500 {
		if v, ok := d.get(i); !ok || v != i+500 {
			t.Fatalf("get(%d) = %d, %v", i, v, ok)
		}
	}
	if d.len() != 500 {
		t.Errorf("%d entries", d.len())
	}
}

// BenchmarkPersistentMap measures a read and a write with 100,000 entries.
func BenchmarkPersistentMap(b *testing.B) {
	var d persistentMap[int, int]
	for i := range 100_000 {
		d.load(i, i)
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			d.get(77)
		}
	})
	b.Run("with", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.with(77, 1)
		}
	})
}
