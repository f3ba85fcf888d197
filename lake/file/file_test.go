package file_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/laketest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a storage in a new directory two levels below a temporary one.
func open(t *testing.T, o file.Options) (*file.Storage, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data", "storage")
	s, err := file.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]file.Options{"together": {}, "each": {SyncEach: true}} {
		t.Run(name, func(t *testing.T) {
			laketest.Run(t, func(t *testing.T) lake.Storage {
				s, _ := open(t, o)
				return s
			})
		})
	}
}

func write(t *testing.T, s lake.Storage, p, content string) lake.Staged {
	t.Helper()
	d, err := s.Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.LocalPath(), []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
	return d
}

// files returns all regular files below dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, p)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestStepsAreInOrder is the durability contract: contents are synced before any
// name appears, names appear in the order given, and every folder on the way up
// is synced before Commit returns.
func TestStepsAreInOrder(t *testing.T) {
	var steps []string
	s, _ := open(t, file.Options{Hook: func(step, p string) { steps = append(steps, step+" "+p) }})
	commit := func(names ...string) {
		t.Helper()
		staged := make([]lake.Staged, len(names))
		for i, n := range names {
			staged[i] = write(t, s, n, n)
		}
		if err := s.Commit(t.Context(), staged...); err != nil {
			t.Fatal(err)
		}
	}
	commit("users/a/t/1.keys", "users/a/t/1.parquet")
	want := []string{
		"synced users/a/t/1.keys", "synced users/a/t/1.parquet",
		"published users/a/t/1.keys", "published users/a/t/1.parquet",
		"settled users/a/t", "settled users/a", "settled users", "settled .",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("first commit (-want +got):\n%s", diff)
	}
	steps = nil
	commit("users/a/t/2.parquet")
	want = []string{"synced users/a/t/2.parquet", "published users/a/t/2.parquet", "settled users/a/t"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("second commit (-want +got):\n%s", diff)
	}
	steps = nil
	if err := s.Replace(t.Context(), "users/b/manifest.json", nil); err != nil {
		t.Fatal(err)
	}
	want = []string{"synced users/b/manifest.json", "published users/b/manifest.json", "settled users/b",
		"settled users"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("replace (-want +got):\n%s", diff)
	}
}

// TestStepsOfManyAreInOrder is the same for a commit whose staged objects are synced together,
// by one sync or side by side.
func TestStepsOfManyAreInOrder(t *testing.T) {
	for name, each := range map[string]bool{"together": false, "each": true} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex // guards steps: folders are synced side by side
			var steps []string
			s, _ := open(t, file.Options{SyncEach: each, Hook: func(step, p string) {
				mu.Lock()
				defer mu.Unlock()
				steps = append(steps, step+" "+p)
			}})
			var staged []lake.Staged
			var want []string
			for i := range 20 {
				p := fmt.Sprintf("users/u%02d/t/1", i)
				staged = append(staged, write(t, s, p, p))
				want = append(want, "synced "+p)
			}
			for _, d := range staged {
				want = append(want, "published "+d.Path())
			}
			if err := s.Commit(t.Context(), staged...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, steps[:min(len(want), len(steps))]); diff != "" {
				t.Fatalf("files (-want +got):\n%s", diff)
			}
			folders := []string{"settled .", "settled users"}
			for i := range 20 {
				folders = append(folders, fmt.Sprintf("settled users/u%02d", i),
					fmt.Sprintf("settled users/u%02d/t", i))
			}
			slices.Sort(folders)
			if diff := cmp.Diff(folders, slices.Sorted(slices.Values(steps[len(want):]))); diff != "" {
				t.Errorf("folders (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryStepLeavesWholeFiles looks at the directory at each step, as a crash
// would find it.
func TestEveryStepLeavesWholeFiles(t *testing.T) {
	var dir string
	check := func(step, p string) {
		for _, f := range files(t, dir) {
			if strings.HasSuffix(f, ".tmp") {
				continue
			}
			content, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil || string(content) != f {
				t.Errorf("at %s %s the file %s has %q, %v", step, p, f, content, err)
			}
		}
	}
	s, root := open(t, file.Options{Hook: check})
	dir = root
	a, b := write(t, s, "d/a", "d/a"), write(t, s, "d/b", "d/b")
	if err := s.Commit(t.Context(), a, b); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(t.Context(), "d/c", []byte("d/c")); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"d/a", "d/b", "d/c"}) {
		t.Errorf("files: %v", got)
	}
}

func TestSymlinksDoNotLeadOut(t *testing.T) {
	s, dir := open(t, file.Options{})
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := s.Replace(ctx, "plain", []byte("plain")); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Create":    func() error { _, err := s.Create(ctx, "link/new"); return err },
		"Replace":   func() error { return s.Replace(ctx, "link/secret", []byte("x")) },
		"Open":      func() error { _, err := s.Open(ctx, "link/secret"); return err },
		"OpenFile":  func() error { _, err := s.Open(ctx, "file"); return err },
		"LocalPath": func() error { _, _, err := s.LocalPath(ctx, "link/secret"); return err },
		"Remove":    func() error { return s.Remove(ctx, "link/secret") },
		"MoveOut":   func() error { return s.Move(ctx, "plain", "link/plain") },
		"MoveIn":    func() error { return s.Move(ctx, "link/secret", "moved") },
	} {
		if err := call(); err == nil {
			t.Errorf("%s followed a link out of the storage", name)
		}
	}
	if content, err := os.ReadFile(secret); err != nil || string(content) != "secret" {
		t.Errorf("the file outside is now %q, %v", content, err)
	}
	if err := s.List(ctx, "", func(e lake.Entry) error {
		if e.Path != "plain" {
			t.Errorf("List shows %s", e.Path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestEmptyFoldersVanish(t *testing.T) {
	s, dir := open(t, file.Options{})
	ctx := t.Context()
	if err := s.Commit(ctx, write(t, s, "users/a/ns/t/1", "x")); err != nil {
		t.Fatal(err)
	}
	pinned := write(t, s, "users/b/ns/t/1", "x")
	if err := s.Remove(ctx, "users/a/ns/t/1"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "users", "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("users/a: %v", err)
	}
	// A folder that a staged object is about to be written to stays.
	open, err := s.Create(ctx, "users/c/ns/t/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(ctx, "users/c/ns/t/other"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open.LocalPath(), nil, 0o640); err != nil {
		t.Error(err)
	}
	for _, d := range []lake.Staged{pinned, open} {
		if err := d.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("the root has %v, %v", entries, err)
	}
}

func TestReadOnlyFolderIsDegraded(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("root writes everywhere; a missing directory stands in")
	}
	s, dir := open(t, file.Options{})
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Error(err)
		}
	}()
	if os.Getuid() == 0 {
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Error(err)
			}
		}()
	}
	h := s.Check(t.Context())
	if h.Writable || h.Deletable || h.Err == nil || h.Status() == "healthy" {
		t.Errorf("Check() = %+v, %s", h, h.Status())
	}
}

func TestOpenErrors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{name, filepath.Join(name, "below")} {
		if _, err := file.New(dir); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("New(%s) = %v, want InvalidInput", dir, err)
		}
	}
}

// TestKeepFree refuses new objects that would take what others need of the disk, before
// they are written and when they are; what is replaced or removed is not concerned
// (case D3).
func TestKeepFree(t *testing.T) {
	s, _ := open(t, file.Options{})
	total, free := s.Space()
	if total == 0 {
		return // The system does not tell.
	}
	var reserve int64
	s.KeepFree(func() int64 { return reserve })
	write := func(name string, meanwhile int64) error {
		reserve = 0
		d, err := s.Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.LocalPath(), []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
		reserve = meanwhile
		return s.Commit(t.Context(), d)
	}
	if err := write("a/roomy", free/2); err != nil {
		t.Errorf("with room: %v", err)
	}
	err := write("a/tight", 2*total)
	if kalam.CodeOf(err) != kalam.CodeResourceExhausted || !strings.Contains(err.Error(), "are needed") {
		t.Errorf("without room: %v", err)
	}
	if _, err := s.Create(t.Context(), "a/next"); kalam.CodeOf(err) != kalam.CodeResourceExhausted {
		t.Errorf("Create without room: %v", err)
	}
	if err := s.Replace(t.Context(), "a/manifest.json", []byte("{}")); err != nil {
		t.Errorf("Replace without room: %v", err)
	}
	if err := s.Remove(t.Context(), "a/roomy"); err != nil {
		t.Errorf("Remove without room: %v", err)
	}
	var left []string
	if err := s.List(t.Context(), "", func(e lake.Entry) error {
		left = append(left, e.Path)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a/manifest.json"}; !slices.Equal(left, want) {
		t.Errorf("the storage has %v, want %v", left, want)
	}
}
