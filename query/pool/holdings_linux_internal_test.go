package pool

import "testing"

// TestHeaviest: the largest call of the user whose calls hold most is chosen, not the largest of all.
func TestHeaviest(t *testing.T) {
	var h holdings
	if h.heaviest() != nil {
		t.Error("a call of nobody")
	}
	alone := &call{user: "alice"}
	h.add(alone, 300)
	if h.heaviest() != alone {
		t.Error("not the only call")
	}
	var largest *call
	for _, n := range []int64{100, 150, 120} {
		c := &call{user: "mallory"}
		h.add(c, n)
		if n == 150 {
			largest = c
		}
	}
	if h.heaviest() != largest {
		t.Errorf("%+v", h.heaviest())
	}
}
