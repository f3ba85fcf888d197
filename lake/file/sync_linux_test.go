package file

import "testing"

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0": true, "5.8": true, "5.7.19": false, "4.19.0-27-amd64": false, "6.1.0-18-amd64": true, "10.0": true,
		"5": false, "": false, "x.y": false,
	} {
		if got := atLeast([]byte(release+"\x00\x00"), 5, 8); got != want {
			t.Errorf("release %q: %t", release, got)
		}
	}
}

// TestOtherFileSystems takes a folder of another file system for what it is.
func TestOtherFileSystems(t *testing.T) {
	var w wholeSync
	dir := t.TempDir()
	if err := w.open(dir); err != nil {
		t.Fatal(err)
	}
	if w.root != nil && !w.holds(dir) {
		t.Error("the directory is not in its own file system")
	}
	for _, other := range []string{"/proc", dir + "/missing"} {
		if w.holds(other) {
			t.Errorf("%s is in the file system of %s", other, dir)
		}
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}
