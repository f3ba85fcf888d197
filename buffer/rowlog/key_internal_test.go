package rowlog

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// FuzzScopePrefix checks that the key range of no scope holds a key of another
// one, and that keys can be read back.
func FuzzScopePrefix(f *testing.F) {
	f.Add(uint64(1), "a", uint64(1), "aa", uint64(5), uint64(6))
	f.Add(uint64(1), "a", uint64(1), "a\x00", uint64(0), uint64(1<<63))
	f.Add(uint64(1), "a\x00", uint64(1), "a\x00\x01", uint64(1), uint64(1))
	f.Add(uint64(0), "", uint64(256), "\xff", uint64(1), uint64(1))
	f.Add(uint64(1), "\x00\x01", uint64(1), "", uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, t1 uint64, u1 string, t2 uint64, u2 string, s1, s2 uint64) {
		a := kalam.Scope{Table: kalam.TableNumber(t1), User: kalam.UserID(u1)}
		b := kalam.Scope{Table: kalam.TableNumber(t2), User: kalam.UserID(u2)}
		ka, kb := BlockKey(a, kalam.Seq(s1)), BlockKey(b, kalam.Seq(s2))
		for _, c := range []struct {
			sc  kalam.Scope
			key []byte
			seq uint64
		}{{a, ka, s1}, {b, kb, s2}} {
			sc, seq, err := SplitBlockKey(c.key)
			if err != nil || sc != c.sc || uint64(seq) != c.seq {
				t.Errorf("SplitBlockKey(%x) = %v, %d, %v, want %v, %d", c.key, sc, seq, err, c.sc, c.seq)
			}
		}
		start, end := ScopePrefix(a), PrefixEnd(ScopePrefix(a))
		inside := bytes.Compare(kb, start) >= 0 && bytes.Compare(kb, end) < 0
		if inside != (a == b) {
			t.Errorf("key %x of %v lies in the range of %v", kb, b, a)
		}
		table, tableEnd := TablePrefix(a.Table), PrefixEnd(TablePrefix(a.Table))
		if tableEnd != nil && (bytes.Compare(kb, table) >= 0 && bytes.Compare(kb, tableEnd) < 0) != (t1 == t2) {
			t.Errorf("key %x of %v and the range of table %d", kb, b, t1)
		}
		if a == b && (bytes.Compare(ka, kb) < 0) != (s1 < s2) {
			t.Errorf("keys of %d and %d are not in their order", s1, s2)
		}
		if t1 == t2 && u1 != u2 && (bytes.Compare(ka, kb) < 0) != (u1 < u2) {
			t.Errorf("keys of %q and %q are not in their order", u1, u2)
		}
	})
}

// FuzzSplitKeys reads arbitrary bytes as keys.
func FuzzSplitKeys(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x0112345678"))
	f.Add([]byte("intent/0123456789012345"))
	f.Fuzz(func(t *testing.T, key []byte) {
		if sc, seq, err := SplitBlockKey(key); err == nil {
			if back := BlockKey(sc, seq); !bytes.Equal(back, key) {
				t.Errorf("SplitBlockKey(%x) = %v, %d, which is %x", key, sc, seq, back)
			}
		}
		if r, err := SplitIntentKey(key); err == nil && strings.HasPrefix(string(key), IntentPrefix) {
			if back := IntentKey(r); !bytes.Equal(back, key) {
				t.Errorf("SplitIntentKey(%x) = %v, which is %x", key, r, back)
			}
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{
		{"a", "b"}, {"a\xff", "b"}, {"\x00", "\x01"}, {"a\xfe\xff\xff", "a\xff"},
	} {
		if got := PrefixEnd([]byte(c.prefix)); string(got) != c.want {
			t.Errorf("PrefixEnd(%q) = %q, want %q", c.prefix, got, c.want)
		}
	}
	if got := PrefixEnd([]byte("\xff\xff")); got != nil {
		t.Errorf("PrefixEnd of the highest = %q, want nil", got)
	}
}
