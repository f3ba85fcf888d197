package memtable

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// TestMemtable adds and takes back versions at random and compares the index and
// the chains with a plain list.
func TestMemtable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(nil)
		var want []rowlog.Entry
		seq := kalam.Seq(1)
		add := func(t *rapid.T) {
			for range rapid.IntRange(1, 40).Draw(t, "count") {
				v := rowlog.Entry{Seq: seq, Key: rapid.SliceOfN(rapid.ByteRange('a', 'c'), 1, 3).Draw(t, "key"),
					Payload: []byte{1, 2}}
				var superseded rowlog.RowRef
				if rapid.Bool().Draw(t, "superseded") {
					superseded = rowlog.RowRef{Segment: 1, Row: uint32(seq)}
				}
				m.Add(v, superseded)
				want = append(want, v)
				seq++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add,
			"undo": func(t *rapid.T) {
				n := rapid.IntRange(0, len(want)).Draw(t, "to")
				m.Undo(n)
				want = want[:n]
			},
			"": func(t *rapid.T) { checkMemtable(t, m, want) },
		})
	})
}

func checkMemtable(t *rapid.T, m *Memtable, want []rowlog.Entry) {
	if m.versions.n != len(want) || m.bytes != bytesOf(want) {
		t.Fatalf("%d versions of %d bytes, want %d of %d", m.versions.n, m.bytes, len(want), bytesOf(want))
	}
	newest, replaced := map[string]int{}, 0
	for i := range want {
		v := m.versions.at(i)
		prev, ok := newest[string(want[i].Key)]
		if !ok {
			prev = -1
		} else {
			replaced++
			if m.versions.at(prev).deletedSeq != uint64(v.Seq) {
				t.Errorf("version %d was replaced at %d, want %d", prev, m.versions.at(prev).deletedSeq, v.Seq)
			}
		}
		if v.Seq != want[i].Seq || !bytes.Equal(v.Key, want[i].Key) || int(v.Prev) != prev {
			t.Errorf("version %d = %+v, previous %d, want %+v, %d", i, v, v.Prev, want[i], prev)
		}
		if v.Supersedes && m.superseded.of(i) != (rowlog.RowRef{Segment: 1, Row: uint32(v.Seq)}) {
			t.Errorf("superseded row of version %d = %v", i, m.superseded.of(i))
		}
		newest[string(want[i].Key)] = i
		if n := m.versions.search(v.Seq); n != i {
			t.Errorf("search(%d) = %d, want %d", v.Seq, n, i)
		}
	}
	if m.replaced != replaced || m.index.used != len(newest) {
		t.Errorf("%d replaced and %d keys, want %d and %d", m.replaced, m.index.used, replaced, len(newest))
	}
	for key, i := range newest {
		if at := m.Newest([]byte(key), HashKey([]byte(key))); int(at) != i || m.versions.at(i).deletedSeq != 0 {
			t.Errorf("Newest(%s) = %d, replaced at %d, want %d", key, at, m.versions.at(i).deletedSeq, i)
		}
		for n := range len(want) + 1 {
			last := -1
			for k := range n {
				if string(want[k].Key) == key {
					last = k
				}
			}
			if at := m.IndexAt([]byte(key), n); int(at) != last {
				t.Errorf("IndexAt(%s, %d) = %d, want %d", key, n, at, last)
			}
		}
	}
	if at := m.IndexAt([]byte("missing"), len(want)); at != -1 {
		t.Errorf("IndexAt of a missing key = %d", at)
	}
}

func bytesOf(list []rowlog.Entry) (n int64) {
	for i := range list {
		n += int64(len(list[i].Key) + len(list[i].Payload))
	}
	return n
}

// TestVersionListNeverMoves keeps pointers and copies while the list grows.
func TestVersionListNeverMoves(t *testing.T) {
	var l versionList
	var all []*Version
	var copies []versionList
	for i := range 5000 {
		all = append(all, l.push(Version{Seq: kalam.Seq(i + 1)}))
		if i%97 == 0 {
			copies = append(copies, l)
		}
	}
	for i, p := range all {
		if l.at(i) != p || p.Seq != kalam.Seq(i+1) {
			t.Fatalf("version %d moved", i)
		}
	}
	for i, c := range copies {
		if c.n != i*97+1 || c.at(c.n-1) != all[c.n-1] || c.last(0) != kalam.Seq(c.n) {
			t.Errorf("copy %d shows %d versions", i, c.n)
		}
	}
	if room := l.room(); room < 5000 || room > 10_000 {
		t.Errorf("room = %d for 5000 versions", room)
	}
}

// TestIndexWithCollisions adds and removes keys whose hashes collide.
func TestIndexWithCollisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l versionList
		var x keyIndex
		there := map[int32]bool{} // Version numbers, one of each key.
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(there) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				n := rapid.SampledFrom(slices.Sorted(maps.Keys(there))).Draw(t, "which")
				x.remove(&l, n)
				delete(there, n)
			} else {
				n := int32(l.n)
				l.push(Version{Key: []byte{byte(n)}, Hash: rapid.Uint32Range(0, 5).Draw(t, "hash")})
				x.set(&l, n)
				there[n] = true
			}
			for n := range int32(l.n) {
				v := l.at(int(n))
				want := n
				if !there[n] {
					want = -1
				}
				if got := x.find(&l, v.Hash, v.Key); got != want {
					t.Fatalf("find(%d) = %d, want %d", n, got, want)
				}
			}
		}
	})
}
