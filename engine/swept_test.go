package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/maintain"
)

// treeOf returns the files below a directory and their contents.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(p)
		rel, relErr := filepath.Rel(dir, p)
		files[filepath.ToSlash(rel)] = string(content)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// withoutMark leaves out the mark, which each start changes.
func withoutMark(tree map[string]string) map[string]string {
	delete(tree, ".kalam/lake.json")
	return tree
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sweptLake makes a lake with flushed and buffered rows of two users, ends its
// server, and makes its files a week old.
func sweptLake(t *testing.T) config.Config {
	t.Helper()
	s := newServer(t)
	fillLake(s)
	s.stop()
	aWeekOld(t, s.config.Storage.DataPath)
	return s.config
}

func fillLake(s *server) {
	s.t.Helper()
	s.must(root, "CREATE NAMESPACE app")
	// Clocks move on by days: no flush may come by itself.
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) WITH (FLUSH_POLICY = 'manual')")
	for _, u := range []string{"alice", "bob"} {
		s.must(userOf(u), "INSERT INTO app.t VALUES (1, 'flushed')")
	}
	s.must(root, "INSERT INTO app.s VALUES (1)")
	s.flush()
	s.must(userOf("alice"), "INSERT INTO app.t VALUES (2, 'buffered')")
}

func aWeekOld(t *testing.T, dir string) {
	t.Helper()
	then := time.Now().AddDate(0, 0, -7)
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(p, then, then)
	}))
}

// nextWeek is the clock of a server that starts a week later.
func nextWeek() time.Time { return time.Now().AddDate(0, 0, 7) }

// wantRefused opens an engine and expects an error that holds words, and nothing
// changed, neither in the buffer nor in the storage.
func wantRefused(t *testing.T, cfg config.Config, o engine.Options, words ...string) {
	t.Helper()
	storage, wal := treeOf(t, cfg.StoragePath()), treeOf(t, cfg.BufferPath())
	o.Now = nextWeek
	e, err := engine.Open(context.Background(), cfg, o)
	if err == nil {
		must(t, e.Close())
		t.Fatal("the server started")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q:\n%v", w, err)
		}
	}
	sameTree(t, "storage", storage, treeOf(t, cfg.StoragePath()))
	if slices.Contains(words, "MANIFEST") || len(wal) == 0 { // Refused before the buffer was opened.
		sameTree(t, "buffer", wal, treeOf(t, cfg.BufferPath()))
	}
}

func sameTree(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for _, own := range []string{"kalam.lock", ".kalam/lock"} { // What a lock holds is no data.
		delete(want, own)
		delete(got, own)
	}
	if !maps.Equal(want, got) {
		t.Errorf("the %s changed from %v to %v", what, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
	}
}

// TestNothingIsSwept has a server start on half of a lake, or on a damaged one, in
// every way that made it delete files once. It refuses and says why. Case D1.
func TestNothingIsSwept(t *testing.T) {
	cut := func(name string, n int64) func(*testing.T, *config.Config) {
		return func(t *testing.T, cfg *config.Config) {
			name := filepath.Join(cfg.Storage.DataPath, name)
			info, err := os.Stat(name)
			must(t, err)
			must(t, os.Truncate(name, info.Size()-n))
		}
	}
	gone := func(name string) func(*testing.T, *config.Config) {
		return func(t *testing.T, cfg *config.Config) {
			must(t, os.RemoveAll(filepath.Join(cfg.Storage.DataPath, name)))
		}
	}
	emptied := func(name string) func(*testing.T, *config.Config) {
		return func(t *testing.T, cfg *config.Config) {
			gone(name)(t, cfg)
			must(t, os.Mkdir(filepath.Join(cfg.Storage.DataPath, name), 0o750))
		}
	}
	written := func(name, content string) func(*testing.T, *config.Config) {
		return func(t *testing.T, cfg *config.Config) {
			must(t, os.WriteFile(filepath.Join(cfg.Storage.DataPath, name), []byte(content), 0o640))
		}
	}
	both := func(a, b func(*testing.T, *config.Config)) func(*testing.T, *config.Config) {
		return func(t *testing.T, cfg *config.Config) { a(t, cfg); b(t, cfg) }
	}
	anotherLake := func(t *testing.T, cfg *config.Config) {
		cfg.Storage.BufferPath = filepath.Join(sweptLake(t).Storage.DataPath, "buffer")
	}
	const mark = "storage/.kalam/lake.json"
	tests := []struct {
		name   string
		damage func(*testing.T, *config.Config)
		words  []string // BUFFER and STORAGE stand for the directories.
	}{
		{"MANIFEST one byte short", cut("buffer/MANIFEST", 1), []string{"BUFFER", "MANIFEST", "backup"}},
		{"MANIFEST missing", gone("buffer/MANIFEST"), []string{"BUFFER", "MANIFEST is missing", "backup"}},
		{"buffer folder empty", emptied("buffer"),
			[]string{"BUFFER", "STORAGE", "is empty", "Mount the volume", "storage.buffer_path", "Nothing was removed"}},
		{"buffer folder missing", gone("buffer"), []string{"BUFFER", "STORAGE", "is empty", "Mount the volume"}},
		{"another buffer path", func(_ *testing.T, cfg *config.Config) {
			cfg.Storage.BufferPath = filepath.Join(cfg.Storage.DataPath, "other")
		},
			[]string{"BUFFER", "STORAGE", "storage.buffer_path"}},
		{"the buffer of another lake", anotherLake,
			[]string{"BUFFER", "STORAGE", "belongs to the lake", "storage.default_storage_path"}},
		{"storage folder empty", emptied("storage"),
			[]string{"BUFFER", "STORAGE", "has no mark", ".parquet", "Mount the volume of the storage"}},
		{"storage folder missing", gone("storage"),
			[]string{"BUFFER", "STORAGE", "has no mark", "Mount the volume of the storage"}},
		{"mark missing", gone(mark), []string{"BUFFER", "STORAGE", "has no mark", ".kalam/lake.json", ".parquet"}},
		{"mark and buffer missing", both(gone(mark), emptied("buffer")),
			[]string{"BUFFER", "STORAGE", ".parquet", "Mount the volume of the write buffer"}},
		{"mark cut", cut(mark, 9), []string{"STORAGE", ".kalam/lake.json", "damaged", "backup"}},
		{"mark empty", written(mark, ""), []string{"STORAGE", ".kalam/lake.json", "damaged"}},
		{"mark of a newer version", written(mark, `{"format":3}`),
			[]string{"STORAGE", ".kalam/lake.json", "format 3", "newer"}},
		{"mark that cannot be read", both(gone(mark), func(t *testing.T, cfg *config.Config) {
			must(t, os.Symlink("/nowhere/else", filepath.Join(cfg.Storage.DataPath, mark)))
		}), []string{"STORAGE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := sweptLake(t)
			tt.damage(t, &cfg)
			var words []string
			for _, w := range tt.words {
				words = append(words, strings.NewReplacer("BUFFER", cfg.BufferPath(), "STORAGE", cfg.StoragePath()).Replace(w))
			}
			wantRefused(t, cfg, engine.Options{}, words...)
			wantRefused(t, cfg, engine.Options{}, words...) // A second start finds what the first did.
		})
	}
}

// TestSecondServerOnTheStorage starts with another buffer while the first runs.
func TestSecondServerOnTheStorage(t *testing.T) {
	s := newServer(t)
	fillLake(s)
	other := s.config
	other.Storage.BufferPath = filepath.Join(t.TempDir(), "buffer")
	wantRefused(t, other, engine.Options{}, s.config.StoragePath(), s.config.BufferPath(), "used by another process")
	if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"2"` {
		t.Errorf("the first server has %s rows", got)
	}
	// A storage that has no lock file yet is not locked by another buffer either.
	third := s.config
	third.Storage.DataPath = t.TempDir()
	third.Storage.DefaultStoragePath = s.config.StoragePath()
	wantRefused(t, third, engine.Options{}, s.config.StoragePath(), s.config.BufferPath(), "used by another process")
}

// openBuffer opens the buffer of a server that does not run.
func openBuffer(t *testing.T, cfg config.Config, f func(b *badger.Backend)) {
	t.Helper()
	b, err := badger.Open(cfg.BufferPath(), badger.Options{})
	must(t, err)
	f(b)
	must(t, b.Close())
}

// editManifest changes the manifest of record of alice.
func editManifest(t *testing.T, cfg config.Config, f func(raw []byte) []byte) {
	t.Helper()
	openBuffer(t, cfg, func(b *badger.Backend) {
		edited := false
		var key, value []byte
		must(t, b.Scan(t.Context(), "sys_manifest", nil, nil, func(k, v []byte) error {
			if bytes.Contains(k, []byte("alice")) {
				key, value, edited = bytes.Clone(k), f(bytes.Clone(v)), true
			}
			return nil
		}))
		if !edited {
			t.Fatal("alice has no manifest")
		}
		must(t, buffertest.Put(t.Context(), b, "sys_manifest", key, value))
	})
}

// readFaults is a backend whose reads of manifests fail.
type readFaults struct {
	*badger.Backend
	fail func(key []byte) error
}

func (r *readFaults) Get(ctx context.Context, keyspace string, key []byte) ([]byte, error) {
	if keyspace == "sys_manifest" {
		if err := r.fail(key); err != nil {
			return nil, err
		}
	}
	return r.Backend.Get(ctx, keyspace, key)
}

func (r *readFaults) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	return r.Backend.Scan(ctx, keyspace, start, end, func(key, value []byte) error {
		if keyspace == "sys_manifest" {
			if err := r.fail(key); err != nil {
				return err
			}
		}
		return f(key, value)
	})
}

// awaitOrphans waits for the job that follows the start, and returns it.
func (s *server) awaitOrphans() kalam.Job {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		for j, err := range s.Catalog().Jobs(context.Background()) {
			if err != nil {
				s.t.Fatal(err)
			}
			if j.Kind == maintain.KindOrphans && j.Status.Done() &&
				!j.FinishedAt.Before(s.Started().UTC().Truncate(time.Microsecond)) {
				return j
			}
		}
		<-time.After(2 * time.Millisecond)
	}
	s.t.Fatal("no orphans were looked for")
	return kalam.Job{}
}

// TestUnreadableManifestSparesEverything starts with a manifest of record that
// cannot be read: its scope is not available, the others are, and no file goes,
// not even one that is an orphan. Case D1.
func TestUnreadableManifestSparesEverything(t *testing.T) {
	tests := []struct {
		name string
		edit func(raw []byte) []byte
		fail func(key []byte) error
		says string
	}{
		{"newer format", func(raw []byte) []byte { raw[0] = 9; return raw }, nil, "format 9"},
		{"flipped bit", func(raw []byte) []byte { raw[len(raw)/2] ^= 4; return raw }, nil, "checksum"},
		{"cut", func(raw []byte) []byte { return raw[:len(raw)-1] }, nil, "checksum"},
		{"empty", func([]byte) []byte { return nil }, nil, "too short"},
		{"I/O error", nil, func(key []byte) error {
			if bytes.Contains(key, []byte("alice")) {
				return errors.New("input/output error")
			}
			return nil
		}, "input/output error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := sweptLake(t)
			orphan := aFileOf(t, cfg.StoragePath(), "bob")
			orphan = filepath.Join(filepath.Dir(orphan), "2026-01-01T00-00-00-7.parquet")
			must(t, os.WriteFile(orphan, []byte("left by a crash"), 0o640))
			aWeekOld(t, cfg.StoragePath())
			if tt.edit != nil {
				editManifest(t, cfg, tt.edit)
			}
			s := &server{t: t, config: cfg, opts: engine.Options{Now: nextWeek}}
			if tt.fail != nil {
				b, err := badger.Open(cfg.BufferPath(), badger.Options{})
				must(t, err)
				s.opts.Backend = &readFaults{b, tt.fail}
			}
			before := treeOf(t, cfg.StoragePath())
			s.start()
			j := s.awaitOrphans()
			if j.Status != kalam.JobSkipped || !strings.Contains(j.Message, "Nothing was removed") ||
				!strings.Contains(j.Message, tt.says) {
				t.Errorf("the job is %s: %s", j.Status, j.Message)
			}
			if _, err := s.try(userOf("alice"), "SELECT count(*) AS n FROM app.t"); err == nil {
				t.Error("the scope whose manifest is unreadable can be read")
			}
			if got := s.single(userOf("bob"), "SELECT count(*) AS n FROM app.t"); got != `"1"` {
				t.Errorf("bob has %s rows", got)
			}
			s.must(root, "DROP TABLE app.t")
			s.awaitCleanupTry()
			s.stop()
			after := treeOf(t, cfg.StoragePath())
			sameTree(t, "storage", withoutMark(before), withoutMark(after))
		})
	}
}

// awaitCleanupTry waits until the removal of a dropped table was tried.
func (s *server) awaitCleanupTry() {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		for j, err := range s.Catalog().Jobs(context.Background()) {
			if err != nil {
				s.t.Fatal(err)
			}
			if j.Kind == maintain.KindCleanup && (j.Status.Done() || j.Retries > 0) {
				if j.Error == "" {
					s.t.Errorf("the removal of the table is %s without an error", j.Status)
				}
				return
			}
		}
		<-time.After(2 * time.Millisecond)
	}
	s.t.Error("the removal of the table was not tried")
}

// withoutID makes a lake one of a version that had no ids.
func withoutID(t *testing.T, cfg config.Config) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(cfg.StoragePath(), ".kalam")))
	openBuffer(t, cfg, func(b *badger.Backend) {
		must(t,
			buffertest.Delete(t.Context(), b, catalog.Keyspace, []byte("lake")))
	})
}

// TestOlderLakeIsAdopted upgrades a data directory without ids: both halves get
// one, unless a segment is missing or a manifest cannot be read.
func TestOlderLakeIsAdopted(t *testing.T) {
	t.Run("whole", func(t *testing.T) {
		cfg := sweptLake(t)
		withoutID(t, cfg)
		s := &server{t: t, config: cfg, opts: engine.Options{Now: nextWeek}}
		for range 2 {
			s.start()
			if j := s.awaitOrphans(); j.Status != kalam.JobCompleted {
				t.Errorf("orphans: %s, %s %s", j.Status, j.Message, j.Error)
			}
			if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"2"` {
				t.Errorf("alice has %s rows", got)
			}
			s.stop()
		}
		empty := cfg
		empty.Storage.BufferPath = filepath.Join(t.TempDir(), "buffer")
		wantRefused(t, empty, engine.Options{}, "is empty")
	})
	t.Run("only buffered rows", func(t *testing.T) {
		s := newServer(t)
		s.must(root, "CREATE NAMESPACE app")
		s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)")
		s.must(userOf("alice"), "INSERT INTO app.t VALUES (1)")
		s.stop()
		withoutID(t, s.config)
		s.start()
		if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"1"` {
			t.Errorf("alice has %s rows", got)
		}
	})
	t.Run("segment missing", func(t *testing.T) {
		cfg := sweptLake(t)
		withoutID(t, cfg)
		name := aFileOf(t, cfg.StoragePath(), "alice")
		must(t, os.Remove(name))
		wantRefused(t, cfg, engine.Options{}, filepath.Base(name), cfg.StoragePath(), "Nothing was removed")
	})
	t.Run("manifest unreadable", func(t *testing.T) {
		cfg := sweptLake(t)
		withoutID(t, cfg)
		editManifest(t, cfg, func(raw []byte) []byte { raw[0]++; return raw })
		wantRefused(t, cfg, engine.Options{}, "alice", "cannot be read", "Nothing was removed")
	})
	t.Run("storage of another", func(t *testing.T) {
		cfg, other := sweptLake(t), newServer(t)
		withoutID(t, cfg)
		other.must(root, "CREATE NAMESPACE app")
		other.must(root, "CREATE USER TABLE app.other (id BIGINT PRIMARY KEY)")
		other.stop()
		withoutID(t, other.config)
		other.config.Storage.DefaultStoragePath = cfg.StoragePath()
		wantRefused(t, other.config, engine.Options{}, "names no segment", cfg.StoragePath())
		other.Engine = nil
	})
	t.Run("no tables", func(t *testing.T) {
		cfg := sweptLake(t)
		withoutID(t, cfg)
		must(t, os.RemoveAll(cfg.BufferPath()))
		wantRefused(t, cfg, engine.Options{}, "is empty", ".parquet")
	})
}

// TestCrashBetweenRecordAndMark ends a first start, the adoption of an older lake,
// and the start of one that has its ids, after each step and twice in a row.
func TestCrashBetweenRecordAndMark(t *testing.T) {
	for _, point := range []string{"recorded", "marked"} {
		for _, which := range []string{"new", "older", "complete"} {
			t.Run(which+" "+point, func(t *testing.T) {
				cfg := sweptLake(t)
				switch which {
				case "new":
					cfg.Storage.DataPath = t.TempDir()
				case "older":
					withoutID(t, cfg)
				}
				crash := hook(func(p string) error {
					if p == point {
						return errors.New("a crash")
					}
					return nil
				})
				for range 2 {
					_, err := engine.Open(context.Background(), cfg, engine.Options{Wrap: crash.wrap()})
					if err == nil || !strings.Contains(err.Error(), "a crash") {
						t.Fatalf("Open = %v", err)
					}
				}
				s := &server{t: t, config: cfg}
				s.start()
				if which == "new" {
					fillLake(s)
				}
				s.restart()
				if got := s.single(userOf("alice"), "SELECT count(*) AS n FROM app.t"); got != `"2"` {
					t.Errorf("alice has %s rows", got)
				}
				if j := s.awaitOrphans(); j.Status != kalam.JobCompleted {
					t.Errorf("orphans: %s, %s", j.Status, j.Message)
				}
				s.stop()
			})
		}
	}
}

// TestEmptyCatalogOfTheSameLake has a buffer of the right lake that lost its
// tables, and one whose tables were all dropped.
func TestEmptyCatalogOfTheSameLake(t *testing.T) {
	t.Run("lost", func(t *testing.T) {
		cfg := sweptLake(t)
		openBuffer(t, cfg, func(b *badger.Backend) {
			var keys [][]byte
			must(t, b.Keys(t.Context(), catalog.Keyspace, nil, nil, func(k []byte) error {
				if bytes.HasPrefix(k, []byte("table/")) {
					keys = append(keys, bytes.Clone(k))
				}
				return nil
			}))
			for _, k := range keys {
				must(t, buffertest.Delete(t.Context(), b, catalog.Keyspace, k))
			}
		})
		wantRefused(t, cfg, engine.Options{}, "knows no table", cfg.BufferPath(), cfg.StoragePath(), ".parquet", "backup")
	})
	t.Run("dropped", func(t *testing.T) {
		s := newServer(t)
		fillLake(s)
		for _, table := range []string{"app.t", "app.s"} {
			s.must(root, "DROP TABLE "+table)
		}
		s.restart() // Perhaps in the middle of the removal.
		for end := time.Now().Add(time.Minute); len(s.Catalog().Dropped()) > 0 && time.Now().Before(end); {
			<-time.After(2 * time.Millisecond)
		}
		s.restart()
		s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT)")
	})
}

var _ buffer.Backend = (*readFaults)(nil)

// TestOlderBuffer restores the buffer from a backup that does not know the last
// flushes: of an earlier run, and of the same one. Their files stay for good. Case D1.
func TestOlderBuffer(t *testing.T) {
	for _, sameRun := range []bool{false, true} {
		t.Run(fmt.Sprintf("same run %v", sameRun), func(t *testing.T) {
			var ahead atomic.Int64
			s := newServer(t)
			s.stop()
			s.opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			s.start()
			fillLake(s)
			backup := t.TempDir()
			if !sameRun {
				s.stop()
			}
			copyTree(t, s.config.BufferPath(), backup)
			if !sameRun {
				s.start()
			}
			ahead.Store(int64(time.Minute)) // The buffer may have given out seqs of the next second.
			for range 3 {                   // More than the restored buffer writes.
				s.must(userOf("carol"), "INSERT INTO app.t VALUES ($1, 'later')", kalam.BigInt(time.Now().UnixNano()))
				s.flush()
			}
			s.stop()
			must(t, os.RemoveAll(s.config.BufferPath()))
			copyTree(t, backup, s.config.BufferPath())
			carols := aFileOf(t, s.config.StoragePath(), "carol")
			must(t, os.Remove(filepath.Join(filepath.Dir(carols), "manifest.json")))
			for days := 0; days < 30; days += 7 {
				ahead.Store(int64(time.Duration(days) * 24 * time.Hour))
				s.start()
				if j := s.awaitOrphans(); j.Status != kalam.JobSkipped || !strings.Contains(j.Message, "restored from a backup") {
					t.Errorf("after %d days the job is %s: %s", days, j.Status, j.Message)
				}
				if _, err := os.Stat(carols); err != nil {
					t.Errorf("after %d days: %v", days, err)
				}
				s.must(userOf("bob"), "INSERT INTO app.t VALUES ($1, 'new')", kalam.BigInt(time.Now().UnixNano()))
				s.flush()
				s.stop()
			}
		})
	}
}
