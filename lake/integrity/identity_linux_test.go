package integrity_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kalamlake/kalam/lake/integrity"
)

// sized is a local file as integrity.File.
type sized struct{ *os.File }

func (f sized) Size() int64 {
	info, err := f.Stat()
	if err != nil {
		return -1
	}
	return info.Size()
}

// TestWatch tells a file that was changed from one whose name was given to another file.
func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name   string
		meddle func(name string) error
		same   bool
	}{
		{"nothing", func(string) error { return nil }, true},
		{"another takes its name", func(name string) error {
			if err := os.WriteFile(name+".new", []byte("other"), 0o600); err != nil {
				return err
			}
			return os.Rename(name+".new", name)
		}, true},
		{"it is removed", os.Remove, true},
		{"it is written to", func(name string) error { return os.WriteFile(name, []byte("xxxxx"), 0o600) }, false},
		{"its times are set back", func(name string) error {
			info, err := os.Stat(name)
			if err == nil {
				err = os.WriteFile(name, []byte("xxxxx"), 0o600)
			}
			if err != nil {
				return err
			}
			return os.Chtimes(name, time.Time{}, info.ModTime())
		}, false},
		{"it is written to and removed", func(name string) error {
			if err := os.WriteFile(name, []byte("xxxxxx"), 0o600); err != nil {
				return err
			}
			return os.Remove(name)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, []byte("hello"), 0o600); err != nil {
				t.Fatal(err)
			}
			long := time.Now().Add(-time.Hour)
			if err := os.Chtimes(name, long, long); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var w integrity.Watch
			if err := w.Begin(sized{f}); err != nil {
				t.Fatal(err)
			}
			if err := tt.meddle(name); err != nil {
				t.Fatal(err)
			}
			same, err := w.Unchanged(func() (bool, error) { return true, nil })
			if err != nil || same != tt.same {
				t.Errorf("Unchanged = %v, %v, want %v", same, err, tt.same)
			}
		})
	}
}
