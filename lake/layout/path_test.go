package layout_test

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// devices are the names that Windows gives to devices in every directory.
var devices = func() []string {
	names := []string{"con", "prn", "aux", "nul"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("com%d", i), fmt.Sprintf("lpt%d", i))
	}
	return names
}()

// isDevice reports whether Windows would open a device for one element of a
// path: with or without extension, whatever the case.
func isDevice(element string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(element), ".")
	for _, d := range devices {
		if stem == d {
			return true
		}
	}
	return false
}

func TestEncodeUserID(t *testing.T) {
	for user, want := range map[kalam.UserID]string{
		"user123": "user123", "user_1": "user__1", "a-b": "a-b", "Alice": "_41lice", "ALICE": "_41_4c_49_43_45",
		"a.b": "a_2eb", ".": "_2e", " ": "_20", "é": "_c3_a9", "a@b.c": "a_40b_2ec", "_": "__", "__": "____",
		"_41lice": "__41lice",
		"con":     "_63on", "CON": "_43_4f_4e", "con.txt": "con_2etxt", "com7": "_63om7", "com": "com",
		"com10": "com10",
		"lpt0":  "_6cpt0",
		"":      "_", "user:1": "user_3a1", "~": "_7e", "a%2fb": "a_252fb",
	} {
		if got := layout.EncodeUserID(user); got != want {
			t.Errorf("EncodeUserID(%q) = %q, want %q", user, got, want)
		}
	}
	for _, d := range devices {
		name := layout.EncodeUserID(kalam.UserID(d))
		if isDevice(name) {
			t.Errorf("EncodeUserID(%q) = %q, a device", d, name)
		}
	}
}

func TestDecodeUserIDRefuses(t *testing.T) {
	for _, name := range []string{
		"", "_", ".", "..", "a.b", "A", "_4", "_4G", "_41_", "_61", "_5f", "_2d", "_30", "con", "com1", "_63onn",
		"_2e_2e", "a/b", "a_2fb", "a_00b",
		"_ff", "_4C", "_c3", "_c3_28", strings.Repeat("a", 65), "é", "a b", "__41lice_", "user_1",
	} {
		if user, err := layout.DecodeUserID(name); kalam.CodeOf(err) != kalam.CodeInvalidInput || user != "" {
			t.Errorf("DecodeUserID(%q) = %q, %v", name, user, err)
		}
	}
}

// checkEncoded checks what must be true of the encoding of every user id.
func checkEncoded(t interface{ Errorf(string, ...any) }, user kalam.UserID) {
	name := layout.EncodeUserID(user)
	back, err := layout.DecodeUserID(name)
	if err != nil || back != user {
		t.Errorf("DecodeUserID(%q) = %q, %v; want %q", name, back, err, user)
	}
	if strings.ToLower(name) != name || isDevice(name) || len(name) > 3*len(user) || path.Clean(name) != name ||
		strings.ContainsAny(name, "./\\: ") {
		t.Errorf("EncodeUserID(%q) = %q", user, name)
	}
	if err := layout.CheckPath(name); err != nil {
		t.Errorf("EncodeUserID(%q) = %q, %v", user, name, err)
	}
}

// userIDs generates valid user ids that are hard on an encoding.
func userIDs() *rapid.Generator[kalam.UserID] {
	part := rapid.OneOf(
		rapid.SampledFrom(append([]string{"_", "__", "_6", "_63", "on", "com", "1", "CON", "é", "É", "ß", "İ", "ſ",
			"K", ".", "-", " ", ":", "%", "~"}, devices...)),
		rapid.StringMatching(`[a-zA-Z0-9_.\-]{0,6}`), rapid.String(),
	)
	return rapid.Custom(func(t *rapid.T) kalam.UserID {
		s := strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "parts"), "")
		for len(s) > kalam.MaxUserID || !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		user, err := kalam.ParseUserID(s)
		if err != nil {
			t.Skip(err)
		}
		return user
	})
}

func TestUserIDsAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := userIDs().Draw(t, "a"), userIDs().Draw(t, "b")
		checkEncoded(t, a)
		checkEncoded(t, b)
		if a != b && strings.EqualFold(layout.EncodeUserID(a), layout.EncodeUserID(b)) {
			t.Errorf("%q and %q are both called %q", a, b, layout.EncodeUserID(a))
		}
	})
	// Ids that differ in one byte, all of them.
	seen := map[string]string{}
	for i := range 1 << 16 {
		id := string([]byte{byte(i >> 8), byte(i)})
		name := strings.ToLower(layout.EncodeUserID(kalam.UserID(id)))
		if other, taken := seen[name]; taken {
			t.Fatalf("%q and %q are both called %q", id, other, name)
		}
		seen[name] = id
	}
}

func FuzzEncodeUserID(f *testing.F) {
	for _, s := range []string{"alice", "_", "con", "CON", "a_b", "é", ".", "com1.txt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if user, err := kalam.ParseUserID(s); err == nil {
			checkEncoded(t, user)
		}
	})
}

func FuzzDecodeUserID(f *testing.F) {
	for _, s := range []string{"alice", "_", "_63on", "con", "a__b", "_c3_a9", "_2e_2e", "_41"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		user, err := layout.DecodeUserID(name)
		if err != nil {
			if kalam.CodeOf(err) != kalam.CodeInvalidInput {
				t.Errorf("DecodeUserID(%q) = %v", name, err)
			}
			return
		}
		if back := layout.EncodeUserID(user); back != name {
			t.Errorf("%q is read as %q, which is called %q", name, user, back)
		}
	})
}

func TestCheckPath(t *testing.T) {
	for _, p := range []string{"a", "a/b", "..a/b..", "a b", "é/ü", "a/...", strings.Repeat("a", 2048)} {
		if err := layout.CheckPath(p); err != nil {
			t.Errorf("CheckPath(%.40q) = %v", p, err)
		}
	}
	for _, p := range []string{"", ".", "..", "/", "/a", "a/", "a//b", "a/../b", "../a", "./a", "a/.", "a/..", `a\b`,
		"c:", "a\x00", "a\x7f", "\n", strings.Repeat("a", 2049)} {
		if err := layout.CheckPath(p); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("CheckPath(%.40q) = %v, want InvalidInput", p, err)
		}
	}
	inside := func(p string) bool {
		joined := path.Join("root", p)
		return layout.CheckPath(p) != nil || strings.HasPrefix(joined, "root/") && joined == "root/"+p
	}
	if err := quick.Check(inside, nil); err != nil {
		t.Error(err)
	}
}

func TestSegmentPath(t *testing.T) {
	at := time.Date(2026, 1, 31, 14, 30, 0, 999, time.FixedZone("", 3600))
	user, shared, device := notes(), notes(), notes()
	shared.Kind = kalam.KindSharedTable
	device.ID = kalam.TableID{Namespace: "aux", Name: "com1"}
	for _, c := range []struct {
		t    *kalam.Table
		user kalam.UserID
		want string
	}{
		{user, "user_1", "users/user__1/app/notes/2026-01-31T13-30-00-42.parquet"},
		{shared, "ignored", "shared/app/notes/2026-01-31T13-30-00-42.parquet"},
		{device, "nul", "users/_6eul/_61ux/_63om1/2026-01-31T13-30-00-42.parquet"},
	} {
		if got, err := layout.SegmentPath(c.t, c.user, at, 42); err != nil || got != c.want {
			t.Errorf("SegmentPath(%s, %s) = %q, %v; want %q", c.t.ID, c.user, got, err, c.want)
		}
	}
	stream := notes()
	stream.Kind = kalam.KindStreamTable
	_, err := layout.SegmentPath(stream, "alice", at, 1)
	wantCode(t, "SegmentPath of a STREAM table", err, kalam.CodeInvalidOperation, "")
	_, err = layout.SegmentPath(user, "", at, 1)
	wantCode(t, "SegmentPath without user", err, kalam.CodeInternal, "")
}

func TestStagedName(t *testing.T) {
	a, b := layout.StagedName("x/y.parquet"), layout.StagedName("x/y.parquet")
	if a == b || path.Dir(a) != "x" || !strings.HasPrefix(a, "x/y.parquet.") || !strings.HasSuffix(a, ".tmp") {
		t.Errorf("staged names %q and %q", a, b)
	}
}
