package maintain

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFullRuns(t *testing.T) {
	const m = maxCompactRows
	for _, tt := range []struct {
		rows []int64
		want []segmentRun
	}{
		{nil, nil},
		{[]int64{5}, []segmentRun{{0, 1}}},
		{[]int64{1, 2, 3}, []segmentRun{{0, 3}}},
		{[]int64{m, 1, 2}, []segmentRun{{0, 1}, {1, 3}}},
		{[]int64{m - 1, 1, 2}, []segmentRun{{0, 2}, {2, 3}}},
		{[]int64{2 * m, 2 * m, 0, 0}, []segmentRun{{0, 1}, {1, 2}, {2, 4}}},
		{[]int64{m / 2, m / 2, m / 2}, []segmentRun{{0, 2}, {2, 3}}},
	} {
		if got := fullRuns(tt.rows); !slices.Equal(got, tt.want) {
			t.Errorf("fullRuns(%v) = %v, want %v", tt.rows, got, tt.want)
		}
	}
}

func TestTierRun(t *testing.T) {
	const full = maxCompactRows / 2
	for _, tt := range []struct {
		name string
		rows []int64
		want segmentRun // from == to: none.
	}{
		{"few", []int64{1, 1, 1, 1, 1, 1, 1}, segmentRun{}},
		{"equal", []int64{1, 1, 1, 1, 1, 1, 1, 1}, segmentRun{0, 8}},
		{"a large one stays", []int64{1000, 1, 1, 1, 1, 1, 1, 1}, segmentRun{1, 8}},
		{"falling sizes", []int64{65536, 16384, 4096, 1024, 256, 64, 16, 4}, segmentRun{6, 8}},
		{"full ones do not count", []int64{full, full, 1, 1, 1, 1, 1, 1, 1}, segmentRun{}},
		{"after full ones", []int64{full, 1, 1, 1, 1, 1, 1, 1, 1}, segmentRun{1, 9}},
		{"before full ones", []int64{1, 1, 1, 1, 1, 1, 1, 1, full, 1}, segmentRun{0, 8}},
		{"no larger than a file", []int64{full - 1, full - 1, full - 1, full - 1, full - 1, full - 1, full - 1,
			full - 1}, segmentRun{6, 8}},
		{"all dead", []int64{0, 0, 0, 0, 0, 0, 0, 0}, segmentRun{0, 8}},
	} {
		got, ok := tierRun(tt.rows, 8)
		if ok != (tt.want.to > tt.want.from) || got != tt.want {
			t.Errorf("%s: tierRun(%v) = %v, %v, want %v", tt.name, tt.rows, got, ok, tt.want)
		}
	}
	if _, ok := tierRun(make([]int64, 20), 0); ok {
		t.Error("the rule cannot be turned off")
	}
	if _, ok := tierRun([]int64{5}, 1); ok {
		t.Error("one segment is merged with nothing")
	}
	if r, ok := tierRun([]int64{500, 5}, 1); !ok || r != (segmentRun{0, 2}) {
		t.Errorf("two segments of one: %v, %v", r, ok)
	}
}

// TestTierRunKeepsScopesSmall flushes for long and applies the rule after each
// flush: the segments stay few, and a row is rewritten a few times only.
func TestTierRunKeepsScopesSmall(t *testing.T) {
	for name, size := range map[string]func(*rand.Rand) int64{
		"equal":  func(*rand.Rand) int64 { return 10 },
		"random": func(r *rand.Rand) int64 { return 1 + r.Int64N(1000) },
		"skewed": func(r *rand.Rand) int64 { return 1 << r.IntN(14) },
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		var rows []int64
		var written, rewritten int64
		for range 20000 {
			n := size(rng)
			written += n
			rows = append(rows, n)
			for {
				r, ok := tierRun(rows, 8)
				if !ok {
					break
				}
				var sum int64
				for _, n := range rows[r.from:r.to] {
					sum += n
				}
				rewritten += sum
				if sum > maxCompactRows {
					t.Fatalf("%s: a file of %d rows", name, sum)
				}
				rows = slices.Replace(rows, r.from, r.to, sum)
			}
			small := 0
			for _, n := range rows {
				if n < maxCompactRows/2 {
					small++
				}
			}
			if full := written / (maxCompactRows / 2); small >= 16 || int64(len(rows)) > 16+full {
				t.Fatalf("%s: %d segments, %d of them small, after %d rows: %v", name, len(rows), small, written, rows)
			}
		}
		t.Logf("%s: %d rows in %d segments, each rewritten %.1f times", name, written, len(rows),
			float64(rewritten)/float64(written))
		if rewritten > 12*written {
			t.Errorf("%s: a row was rewritten %.1f times", name, float64(rewritten)/float64(written))
		}
	}
}
