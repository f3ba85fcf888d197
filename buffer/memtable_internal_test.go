package buffer

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
)

// TestMemtable adds and takes back versions at random and compares the index and
// the chains with a plain list.
func TestMemtable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemtable(nil)
		var want []version
		seq := kalam.Seq(1)
		add := func(t *rapid.T) {
			for range rapid.IntRange(1, 40).Draw(t, "count") {
				v := version{seq: seq, key: rapid.SliceOfN(rapid.ByteRange('a', 'c'), 1, 3).Draw(t, "key"), payload: []byte{1, 2}}
				var from base
				if rapid.Bool().Draw(t, "based") {
					from = base{segment: 1, row: uint32(seq)}
				}
				m.add(v, from)
				want = append(want, v)
				seq++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": add,
			"undo": func(t *rapid.T) {
				n := rapid.IntRange(0, len(want)).Draw(t, "to")
				m.undo(n)
				want = want[:n]
			},
			"": func(t *rapid.T) { checkMemtable(t, m, want) },
		})
	})
}

func checkMemtable(t *rapid.T, m *memtable, want []version) {
	if m.versions.n != len(want) || m.bytes != bytesOf(want) {
		t.Fatalf("%d versions of %d bytes, want %d of %d", m.versions.n, m.bytes, len(want), bytesOf(want))
	}
	newest, deaths := map[string]int{}, 0
	for i := range want {
		v := m.versions.at(i)
		prev, ok := newest[string(want[i].key)]
		if !ok {
			prev = -1
		} else {
			deaths++
			if m.versions.at(prev).died != uint64(v.seq) {
				t.Errorf("version %d died at %d, want %d", prev, m.versions.at(prev).died, v.seq)
			}
		}
		if v.seq != want[i].seq || !bytes.Equal(v.key, want[i].key) || int(v.prev) != prev {
			t.Errorf("version %d = %+v, previous %d, want %+v, %d", i, v, v.prev, want[i], prev)
		}
		if v.based && m.based.of(i) != (base{segment: 1, row: uint32(v.seq)}) {
			t.Errorf("base of version %d = %v", i, m.based.of(i))
		}
		newest[string(want[i].key)] = i
		if n := m.versions.search(v.seq); n != i {
			t.Errorf("search(%d) = %d, want %d", v.seq, n, i)
		}
	}
	if m.deaths != deaths || m.index.used != len(newest) {
		t.Errorf("%d deaths and %d keys, want %d and %d", m.deaths, m.index.used, deaths, len(newest))
	}
	for key, i := range newest {
		if at := m.newest([]byte(key), hashKey([]byte(key))); int(at) != i || m.versions.at(i).died != 0 {
			t.Errorf("newest(%s) = %d, died %d, want %d", key, at, m.versions.at(i).died, i)
		}
		for n := range len(want) + 1 {
			last := -1
			for k := range n {
				if string(want[k].key) == key {
					last = k
				}
			}
			if at := m.indexAt([]byte(key), n); int(at) != last {
				t.Errorf("indexAt(%s, %d) = %d, want %d", key, n, at, last)
			}
		}
	}
	if at := m.indexAt([]byte("missing"), len(want)); at != -1 {
		t.Errorf("indexAt of a missing key = %d", at)
	}
}

func bytesOf(list []version) (n int64) {
	for i := range list {
		n += int64(len(list[i].key) + len(list[i].payload))
	}
	return n
}

// TestVersionListNeverMoves keeps pointers and copies while the list grows.
func TestVersionListNeverMoves(t *testing.T) {
	var l versionList
	var all []*version
	var copies []versionList
	for i := range 5000 {
		all = append(all, l.push(version{seq: kalam.Seq(i + 1)}))
		if i%97 == 0 {
			copies = append(copies, l)
		}
	}
	for i, p := range all {
		if l.at(i) != p || p.seq != kalam.Seq(i+1) {
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
				l.push(version{key: []byte{byte(n)}, hash: rapid.Uint32Range(0, 5).Draw(t, "hash")})
				x.set(&l, n)
				there[n] = true
			}
			for n := range int32(l.n) {
				v := l.at(int(n))
				want := n
				if !there[n] {
					want = -1
				}
				if got := x.find(&l, v.hash, v.key); got != want {
					t.Fatalf("find(%d) = %d, want %d", n, got, want)
				}
			}
		}
	})
}
