package persistent

import (
	"maps"
	"testing"

	"pgregory.net/rapid"
)

// TestMapModel compares a Map, and older states of it, with maps.
func TestMapModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type state struct {
			d Map[int, string]
			m map[int]string
		}
		states := []state{{m: map[int]string{}}}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			s := states[rapid.IntRange(max(len(states)-3, 0), len(states)-1).Draw(t, "from")]
			next := state{m: maps.Clone(s.m)}
			k := rapid.IntRange(0, 40).Draw(t, "key")
			if rapid.Bool().Draw(t, "remove") {
				next.d = s.d.Without(k)
				delete(next.m, k)
			} else {
				v := rapid.String().Draw(t, "value")
				next.d = s.d.With(k, v)
				next.m[k] = v
			}
			states = append(states, next)
		}
		for i, s := range states {
			if got := maps.Collect(s.d.All()); !maps.Equal(got, s.m) || s.d.Len() != len(s.m) {
				t.Fatalf("state %d: %v (%d entries), want %v", i, got, s.d.Len(), s.m)
			}
			for k := range 41 {
				v, ok := s.d.Get(k)
				if want, exists := s.m[k]; ok != exists || v != want {
					t.Fatalf("state %d: get(%d) = %q, %v", i, k, v, ok)
				}
			}
			for range s.d.All() { // Leaving early is fine.
				break
			}
		}
	})
}

func TestMapLoad(t *testing.T) {
	var d Map[int, int]
	for i := range 1000 {
		d.Load(i%500, i)
	}
	for i := range 500 {
		if v, ok := d.Get(i); !ok || v != i+500 {
			t.Fatalf("get(%d) = %d, %v", i, v, ok)
		}
	}
	if d.Len() != 500 {
		t.Errorf("%d entries", d.Len())
	}
}

// BenchmarkMap measures a read and a write with 100,000 entries.
func BenchmarkMap(b *testing.B) {
	var d Map[int, int]
	for i := range 100_000 {
		d.Load(i, i)
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			d.Get(77)
		}
	})
	b.Run("with", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.With(77, 1)
		}
	})
}
