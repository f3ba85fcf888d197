package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
)

func TestLock(t *testing.T) {
	first, dir := open(t, file.Options{})
	second, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Locked(); err != nil {
		t.Errorf("Locked before there is a lock = %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".kalam")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Locked made a folder: %v", err)
	}
	if err := first.Lock("pid 7 with the write buffer /data/buffer"); err != nil {
		t.Fatal(err)
	}
	if err := first.Lock("again"); err == nil {
		t.Error("one storage was locked twice")
	}
	for what, err := range map[string]error{"Lock": second.Lock("pid 8"), "Locked": second.Locked()} {
		if kalam.CodeOf(err) != kalam.CodeInvalidOperation || !strings.Contains(err.Error(), dir) ||
			!strings.Contains(err.Error(), "pid 7 with the write buffer /data/buffer") {
			t.Errorf("%s of a locked storage = %v", what, err)
		}
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Lock("still held"); err == nil {
		t.Error("the close of the second gave the lock of the first away")
	}
	third, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Locked(); kalam.CodeOf(err) != kalam.CodeInvalidOperation {
		t.Errorf("after the close of another one: %v", err)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLockWaits locks a root whose lock ends a moment later, as that of a server that was killed.
func TestLockWaits(t *testing.T) {
	dir := t.TempDir()
	first, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Lock("pid 7"); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { closed <- first.Close() })
	second, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(second.Lock("pid 8"), <-closed, second.Close()); err != nil {
		t.Error(err)
	}
}

func TestLockEndsWithClose(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s, err := file.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Locked(), s.Lock("one after the other"), s.Locked(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExisting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "storage")
	if _, err := file.Open(dir, file.Options{Existing: true}); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("Open of a missing directory = %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	s, err := file.Open(filepath.Dir(dir), file.Options{Existing: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRefusalsSayWhatToDo opens and locks roots that the system does not let us use.
func TestRefusalsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := file.Open(name, file.Options{Existing: true})
	if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "check its permissions") {
		t.Errorf("Open of a file = %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".kalam"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := file.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Lock": s.Lock("a test"), "Locked": s.Locked()} {
		if err == nil || !strings.Contains(err.Error(), dir) ||
			!strings.Contains(err.Error(), "check its permissions") {
			t.Errorf("%s without a place for the lock = %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
