package file

import (
	"os"
	"testing"
)

// TestWholeSyncReportsToAll lets the sync of one commit fail: one that wrote before it
// and syncs after it must not take its own good sync for the whole truth.
func TestWholeSyncReportsToAll(t *testing.T) {
	var w wholeSync
	if err := w.open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if w.root == nil {
		t.Log("this file system cannot be synced as a whole")
		return
	}
	early := w.mark()
	if err := w.sync(early); err != nil {
		t.Fatal(err)
	}
	good := w.root
	closed, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	w.root = closed
	if err := w.sync(w.mark()); err == nil {
		t.Error("a sync that cannot work says that it did")
	}
	w.root = good
	if err := w.sync(early); err == nil {
		t.Error("who wrote before the failure does not learn of it")
	}
	if err := w.sync(w.mark()); err != nil {
		t.Errorf("who wrote after the failure: %v", err)
	}
	if err := w.close(); err != nil {
		t.Error(err)
	}
}
