package storages_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/s3/s3test"
	"github.com/kalamlake/kalam/storages"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(s3test.Tests{M: m})
}

// bench is a registry over a catalog in memory.
type bench struct {
	*storages.Registry
	t       *testing.T
	dir     string // Of the data.
	options storages.Options
}

// admin is who makes tables and users.
var admin = kalam.Principal{User: "root", Role: kalam.RoleSystem}

// newBench returns an empty registry.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	c, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: 4, Rules: access.Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	local, err := file.New(filepath.Join(dir, "storage"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lake.New(lake.Options{}, lake.Location{ID: kalam.LocalStorage, Storage: local})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir, options: storages.Options{
		Config: storages.Config{
			KeyFile: filepath.Join(dir, "credentials.key"), Dir: filepath.Join(dir, "remote"), Data: dir,
			Reserved: []string{filepath.Join(dir, "storage"), filepath.Join(dir, "buffer"), filepath.Join(dir, "remote")},
		},
		Catalog: c, Lake: l, Mark: lake.Mark{LakeID: "this", CreatedAt: time.Unix(1, 0), Generation: 1},
		Pause: time.Millisecond, RetryWait: time.Millisecond, Retries: 1,
	}}
	b.open()
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), l.Close(), local.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) open() {
	b.t.Helper()
	r, err := storages.Open(context.Background(), b.options)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Registry = r
}

// restart opens the registry as the next start does.
func (b *bench) restart() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.options.Mark.Generation++
	b.open()
}

// files creates a filesystem storage.
func (b *bench) files(id kalam.StorageID, dir string) error {
	return b.Create(b.t.Context(), id, catalog.StorageFilesystem, storages.Settings{URI: &dir})
}

// use asks a storage for something.
func (b *bench) use(id kalam.StorageID) error {
	b.t.Helper()
	s, _, err := b.options.Lake.Storage(id)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Replace(b.t.Context(), "x", []byte("x"))
}

// wantError wants an error of a code that has some words.
func wantError(t *testing.T, what string, err error, code kalam.Code, words ...string) {
	t.Helper()
	if kalam.CodeOf(err) != code || err == nil {
		t.Errorf("%s = %v (code %d), want code %d", what, err, kalam.CodeOf(err), code)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s = %v, want the word %q", what, err, w)
		}
	}
}

func TestPlaces(t *testing.T) {
	b := newBench(t)
	outside := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	if err := b.files("first", filepath.Join(outside, "a", "b")); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	other, err := file.New(foreign)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // It is only a place.
	if err := lake.WriteMark(t.Context(), other, lake.Mark{LakeID: "other", Generation: 1}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, words string }{
		{filepath.Join(outside, "a", "b"), "storage 'first'"},
		{filepath.Join(outside, "a"), "storage 'first'"},
		{filepath.Join(outside, "a", "b", "c"), "storage 'first'"},
		{filepath.Join(link, "a", "b", "c"), "storage 'first'"},
		{b.dir, "for itself"},
		{filepath.Dir(b.dir), "for itself"},
		{filepath.Join(b.dir, "storage", "x"), "for itself"},
		{filepath.Join(b.dir, "buffer"), "for itself"},
		{foreign, "belongs to the lake other"},
		{"", "needs a directory"},
	} {
		err := b.files("second", c.dir)
		code := kalam.CodeInvalidInput
		if c.dir == foreign {
			code = kalam.CodeInvalidOperation
		}
		wantError(t, "a storage in "+c.dir, err, code, c.words)
	}
	if err := b.files("second", filepath.Join(b.dir, "second")); err != nil {
		t.Errorf("a storage in the data directory: %v", err)
	}
	if err := b.files("first", outside); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
		t.Errorf("a second storage 'first' = %v", err)
	}
	if got := len(b.options.Catalog.Storages()); got != 3 {
		t.Errorf("%d storages", got)
	}
}

// TestUnmarkedSegments are not taken over: whose they are is not known.
func TestUnmarkedSegments(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "users/u-ann/app/notes/2026-01-31T14-30-00-1.parquet")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, "a storage", b.files("cold", dir), kalam.CodeInvalidOperation, "holds rows of tables", "u-ann")
}

// TestMarks recognises what is in the place of a storage.
func TestMarks(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := errors.Join(b.files("one", one), b.files("two", two), b.use("one"), b.use("two")); err != nil {
		t.Fatal(err)
	}
	swap := func() {
		t.Helper()
		away := filepath.Join(dir, "away")
		if err := errors.Join(os.Rename(one, away), os.Rename(two, one), os.Rename(away, two)); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	b.restart()
	wantError(t, "use of swapped directories", b.use("one"), kalam.CodeUnavailable, "'one'", "the storage 'two'")
	if got := b.Failing(); len(got) != 2 {
		t.Errorf("failing are %q", got)
	}
	if got := b.Dirs(); len(got) != 1 {
		t.Errorf("directories are %q", got)
	}
	swap()
	eventually.True(t, "what is back can be used", func() bool { return b.use("one") == nil && b.use("two") == nil })
	if got := b.Failing(); len(got) != 0 {
		t.Errorf("failing are %q", got)
	}
	if got := b.Dirs(); len(got) != 3 {
		t.Errorf("directories are %q", got)
	}
	if err := os.Rename(one, filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	b.restart()
	wantError(t, "use of a missing directory", b.use("one"), kalam.CodeUnavailable, "'one'")
	if err := os.Mkdir(one, 0o700); err != nil {
		t.Fatal(err)
	}
	b.restart()
	wantError(t, "use of a directory where nothing is mounted", b.use("one"), kalam.CodeUnavailable, "mounted")
	if left, err := os.ReadDir(one); err != nil || len(left) > 1 { // The lock.
		t.Errorf("in it are %v, %v", left, err)
	}
	if err := b.use("two"); err != nil {
		t.Errorf("use of the other: %v", err)
	}
}

// TestCopyOfTheServer has the older of two servers with one lake refuse what the newer uses.
func TestCopyOfTheServer(t *testing.T) {
	b := newBench(t)
	if err := errors.Join(b.files("cold", t.TempDir()), b.use("cold")); err != nil {
		t.Fatal(err)
	}
	b.options.Mark.Generation = 5
	b.restart()
	if err := b.use("cold"); err != nil {
		t.Fatal(err)
	}
	b.options.Mark.Generation = 1
	b.restart()
	wantError(t, "use by an older copy", b.use("cold"), kalam.CodeUnavailable, "another server")
}

func TestAlterFiles(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	if err := b.files("cold", dir); err != nil {
		t.Fatal(err)
	}
	name, elsewhere, odd := "Cold", "/elsewhere", "{nothing}"
	good := "people/{userId}/{namespace}/{tableName}"
	if err := b.Alter(t.Context(), "cold", storages.Settings{Name: &name, UserTemplate: &good, URI: &dir}); err != nil {
		t.Fatal(err)
	}
	if st, _ := b.options.Catalog.Storage("cold"); st.Name != name || st.UserTemplate != good || st.BaseDirectory != dir {
		t.Errorf("the storage is %+v", st)
	}
	ctx := t.Context()
	wantError(t, "another URI", b.Alter(ctx, "cold", storages.Settings{URI: &elsewhere}), kalam.CodeInvalidOperation)
	wantError(t, "an odd template", b.Alter(ctx, "cold", storages.Settings{UserTemplate: &odd}), kalam.CodeInvalidInput,
		"Unknown template variable '{nothing}'")
	wantError(t, "a storage that is not there", b.Alter(ctx, "warm", storages.Settings{}), kalam.CodeNotFound)
	wantError(t, "templates of local", b.Alter(ctx, kalam.LocalStorage, storages.Settings{UserTemplate: &good}),
		kalam.CodeInvalidOperation)
	if err := b.Alter(ctx, kalam.LocalStorage, storages.Settings{Name: &name}); err != nil {
		t.Error(err)
	}
}

func TestDrop(t *testing.T) {
	b := newBench(t)
	dir, ctx := t.TempDir(), t.Context()
	if err := b.files("cold", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := b.options.Catalog.CreateUser(ctx, admin, catalog.NewUser{
		ID: "ann", StorageMode: catalog.StorageModeRegion, StorageID: "cold",
	}); err == nil {
		free := func(context.Context, kalam.StorageID) error { return nil }
		wantError(t, "drop of a user's storage", b.Drop(ctx, "cold", free), kalam.CodeInvalidOperation, "ann")
		if _, err := b.options.Catalog.AlterUser(ctx, admin, "ann", catalog.UserChange{
			StorageMode: new(catalog.StorageMode), StorageID: new(kalam.StorageID),
		}); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Fatal(err)
	}
	busy := kalam.Errorf(kalam.CodeConflict, "busy")
	inUse := func(_ context.Context, id kalam.StorageID) error {
		table := &kalam.Table{
			ID: kalam.TableID{Namespace: "app", Name: "notes"}, Kind: kalam.KindSharedTable, Number: 1,
			Options: kalam.TableOptions{StorageID: id},
		}
		_, err := b.options.Lake.NewSegment(ctx, table, "", 1)
		wantError(t, "a segment in a storage that is being dropped", err, kalam.CodeNotFound, "being dropped")
		return busy
	}
	if err := b.Drop(ctx, "cold", inUse); !errors.Is(err, busy) {
		t.Errorf("Drop = %v", err)
	}
	if err := b.use("cold"); err != nil {
		t.Errorf("use after a refused drop: %v", err)
	}
	free := func(context.Context, kalam.StorageID) error { return nil }
	wantError(t, "drop of local", b.Drop(ctx, kalam.LocalStorage, free), kalam.CodeInvalidOperation, "default storage")
	wantError(t, "drop of none", b.Drop(ctx, "warm", free), kalam.CodeNotFound)
	if err := b.Drop(ctx, "cold", free); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.options.Lake.Storage("cold"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("the lake says %v", err)
	}
	if err := b.files("again", dir); err != nil {
		t.Errorf("a storage in the place of a dropped one: %v", err)
	}
}
