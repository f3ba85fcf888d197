package maintain

import (
	"testing"

	"github.com/kalamlake/kalam/buffer"
)

// TestFairShare: who has little keeps it, the others share what is left.
func TestFairShare(t *testing.T) {
	for _, c := range []struct {
		sizes       []int64
		total, want int64
	}{
		{nil, 100, 100}, {[]int64{50}, 100, 50}, {[]int64{500}, 100, 100}, {[]int64{500, 500}, 100, 50},
		{[]int64{10, 500}, 100, 90}, {[]int64{500, 10, 10, 10}, 100, 70}, {[]int64{30, 40, 1000, 1000}, 270, 100},
		{[]int64{1000, 1000, 1000}, 2, 0},
	} {
		var scopes []buffer.ScopeStats
		var left int64
		for _, size := range c.sizes {
			scopes = append(scopes, buffer.ScopeStats{Bytes: size})
		}
		got := fairShare(scopes, c.total)
		for _, size := range c.sizes {
			left += min(size, got)
		}
		if len(c.sizes) > 1 && got != c.want || left > c.total {
			t.Errorf("%v within %d: %d, want %d; %d in total", c.sizes, c.total, got, c.want, left)
		}
	}
}
