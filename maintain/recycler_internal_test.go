package maintain

import (
	"bytes"
	"testing"
)

// TestRecycler: memory in use is never given out twice, and freed memory is.
func TestRecycler(t *testing.T) {
	r := &recycler{}
	var used [][]byte
	for _, size := range []int{0, 1, 64, 65, 1000, 4096, 4097, 1 << 20} {
		b := r.Allocate(size)
		if len(b) != size || cap(b) < size || cap(b)&(cap(b)-1) != 0 {
			t.Errorf("size %d gives %d of %d bytes", size, len(b), cap(b))
		}
		for i := range b {
			b[i] = byte(len(used) + 1)
		}
		used = append(used, b)
	}
	for n, b := range used {
		if len(b) != bytes.Count(b, []byte{byte(n + 1)}) {
			t.Errorf("allocation %d was given out again", n)
		}
	}
	first := used[4]
	if grown := r.Reallocate(1020, first); &grown[0] != &first[0] || len(grown) != 1020 {
		t.Error("memory with room was moved")
	}
	grown := r.Reallocate(3000, first)
	if &grown[0] == &first[0] || !bytes.Equal(grown[:1000], bytes.Repeat([]byte{5}, 1000)) {
		t.Error("growing lost bytes, or did not move")
	}
	if again := r.Allocate(700); &again[0] != &first[0] {
		t.Error("freed memory is not used again")
	}
	if other := r.Allocate(700); &other[0] == &first[0] {
		t.Error("memory was given out twice")
	}
	r.Free(nil)
	if b := r.Reallocate(10, nil); len(b) != 10 {
		t.Errorf("%d bytes", len(b))
	}
}
