package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestUnwrittenRanges: pages that the loader wrote, data, and other files stay.
func TestUnwrittenRanges(t *testing.T) {
	smaps := `00400000-00a9c000 r--p 00000000 fe:00 1                          /bin/kalamd
Rss:                4000 kB
Anonymous:             0 kB
00a9c000-03fff000 r-xp 0069c000 fe:00 1                          /bin/kalamd
Rss:                4000 kB
Anonymous:             0 kB
0604c000-060cb000 r--p 05c4c000 fe:00 1                          /bin/kalamd
Anonymous:           304 kB
060cb000-061f6000 rw-p 05ccb000 fe:00 1                          /bin/kalamd
Anonymous:             0 kB
7f0000000000-7f0000010000 r--p 00000000 fe:00 2                  /lib/libc.so.6
Anonymous:             0 kB
7f0000020000-7f0000030000 r--p 00000000 00:00 0
Anonymous:             0 kB
VmFlags: rd ex
`
	name := filepath.Join(t.TempDir(), "smaps")
	if err := os.WriteFile(name, []byte(smaps), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := unwrittenRanges(name, "/bin/kalamd")
	want := []addresses{{0x400000, 0xa9c000}, {0xa9c000, 0x3fff000}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
	// On ourselves it must leave a program that still runs.
	if err := forgetProgram(); err != nil {
		t.Error(err)
	}
}
