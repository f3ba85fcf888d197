package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
)

const objectBytes = 10_000

// contentOf returns a content that no other name has.
func contentOf(p string) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%-10s", p)), objectBytes/10)
}

// filled returns a storage behind a front that holds objects of objectBytes, none of which
// is cached, and whose cache holds some.
func filled(t *testing.T, holds int, paths ...string) (*s3.Storage, *front, s3.Options) {
	t.Helper()
	f := newFront(t)
	o := f.options(t)
	writer := open(t, o)
	for _, p := range paths {
		put(t, writer, p, contentOf(p))
	}
	o.Dir, o.CacheBytes = filepath.Join(t.TempDir(), "cached"), int64(holds*objectBytes)
	return open(t, o), f, o
}

// cached returns the names of the files of a cache, and their bytes.
func cached(t *testing.T, o s3.Options) (names []string, size int64) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(o.Dir, "cache"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		names, size = append(names, filepath.Join(o.Dir, "cache", f.Name())), size+info.Size()
	}
	return names, size
}

// asks returns how many requests run makes.
func (f *front) asks(run func()) int64 {
	before := f.Requests.Load()
	run()
	return f.Requests.Load() - before
}

func TestCacheKeepsToItsBudget(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 3, "a", "b", "c", "d")
	use := func(p string, wantAsked bool) {
		t.Helper()
		asked := f.asks(func() {
			if got := local(t, s, p); !bytes.Equal(got, contentOf(p)) {
				t.Errorf("%s has %d bytes", p, len(got))
			}
		})
		if asked > 0 != wantAsked {
			t.Errorf("%s took %d requests", p, asked)
		}
		if _, size := cached(t, o); size > o.CacheBytes {
			t.Errorf("the cache has %d bytes of %d", size, o.CacheBytes)
		}
	}
	for _, p := range []string{"a", "b", "c"} {
		use(p, true)
	}
	use("a", false)
	use("d", true) // b has not been used for the longest time.
	use("a", false)
	use("c", false)
	use("b", true)
	use("d", true)
}

func TestLentFilesStay(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 2, "a", "b", "c")
	a, releaseA, err := s.LocalPath(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	_, releaseB, err := s.LocalPath(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.LocalPath(t.Context(), "c")
	if kalam.CodeOf(err) != kalam.CodeResourceExhausted ||
		!strings.Contains(err.Error(), "cache of 20000 bytes has no room") {
		t.Errorf("LocalPath beyond the budget = %v", err)
	}
	releaseB()
	releaseB() // It does nothing the second time.
	local(t, s, "c")
	local(t, s, "b")
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.LocalPath(t.Context(), "a"); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("LocalPath of a removed object = %v", err)
	}
	if got, err := os.ReadFile(a); err != nil || !bytes.Equal(got, contentOf("a")) {
		t.Errorf("a lent file has %d bytes, %v", len(got), err)
	}
	releaseA()
	if _, err := os.Stat(a); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a removed object: %v", err)
	}
	local(t, s, "c")
	if names, size := cached(t, o); len(names) != 2 || size != 2*objectBytes {
		t.Errorf("the cache has %d files, %d bytes", len(names), size)
	}
	if n := f.asks(func() { local(t, s, "b"); local(t, s, "c") }); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestObjectLargerThanTheCache(t *testing.T) {
	t.Parallel()
	s, f, _ := filled(t, 1, "a")
	local(t, s, "a")
	if err := s.Replace(t.Context(), "large", make([]byte, objectBytes+1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.LocalPath(t.Context(), "large"); kalam.CodeOf(err) != kalam.CodeResourceExhausted {
		t.Errorf("LocalPath = %v", err)
	}
	if n := f.asks(func() { local(t, s, "a") }); n != 0 {
		t.Error("what cannot fit drove out what did")
	}
}

func TestDownloadsAreShared(t *testing.T) {
	t.Parallel()
	s, f, _ := filled(t, 2, "a")
	gate, began := make(chan struct{}), make(chan struct{}, 20)
	slow, gets := times(1<<60, method("GET"), func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		began <- struct{}{}
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		pass(w, r)
	})
	f.breakWith(slow)
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { // The first: the download goes on without it.
		_, _, err := s.LocalPath(impatient, "a")
		gone <- err
	}()
	<-began
	var all sync.WaitGroup
	names := make([]string, 8)
	for i := range names {
		all.Go(func() {
			name, release, err := s.LocalPath(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			names[i] = name
		})
	}
	eventually.True(t, "nine wait for the download", func() bool { return s3.Waiting(s, "a") >= 9 })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("LocalPath of who went = %v", err)
	}
	close(gate)
	all.Wait()
	if n := gets.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
	for _, n := range names {
		if n != names[0] || n == "" {
			t.Errorf("files %q", names)
		}
	}
}

func TestLastWaiterEndsTheDownload(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 1, "a")
	began, ended := make(chan struct{}), make(chan struct{})
	stuck, _ := times(1, method("GET"), func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	f.breakWith(stuck)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, _, err := s.LocalPath(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("LocalPath = %v", err)
	}
	<-ended
	if got := local(t, s, "a"); !bytes.Equal(got, contentOf("a")) { // There is room for one only.
		t.Errorf("%d bytes", len(got))
	}
	if names, _ := cached(t, o); len(names) != 1 {
		t.Errorf("the cache has %q", names)
	}
}

func TestRestartFindsTheCache(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, file string)
		asks   bool
	}{
		{"whole", func(*testing.T, string) {}, false},
		{"cut", func(t *testing.T, file string) {
			if err := os.Truncate(file, objectBytes-1); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"other bytes", func(t *testing.T, file string) {
			if err := os.WriteFile(file, make([]byte, objectBytes), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"gone", func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"another name", func(t *testing.T, file string) {
			if err := os.Rename(file, filepath.Join(filepath.Dir(file), "x.object")); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, f, o := filled(t, 3, "a")
			local(t, s, "a")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			names, _ := cached(t, o)
			if len(names) != 1 {
				t.Fatalf("the cache has %q", names)
			}
			c.damage(t, names[0])
			for _, stray := range []string{"123.part", "readme"} {
				if err := os.WriteFile(filepath.Join(o.Dir, "cache", stray), []byte("half"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			again := open(t, o)
			asked := f.asks(func() {
				if got := local(t, again, "a"); !bytes.Equal(got, contentOf("a")) {
					t.Errorf("it has %d bytes", len(got))
				}
			})
			if asked > 0 != c.asks {
				t.Errorf("%d requests", asked)
			}
			if names, size := cached(t, o); len(names) != 1 || size != objectBytes {
				t.Errorf("the cache has %q", names)
			}
		})
	}
}

// TestCacheOfAnotherPlace: a path is another object below another prefix.
func TestCacheOfAnotherPlace(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 3, "a")
	local(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	elsewhere := f.options(t)
	elsewhere.Prefix, elsewhere.Dir, elsewhere.CacheBytes = "lake/b", o.Dir, o.CacheBytes
	if _, _, err := open(t, elsewhere).LocalPath(t.Context(), "a"); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("LocalPath below another prefix = %v", err)
	}
}

// TestSmallerBudgetAfterRestart: the files used last stay.
func TestSmallerBudgetAfterRestart(t *testing.T) {
	t.Parallel()
	_, f, o := filled(t, 3, "a", "b", "c")
	now := time.Now()
	o.Now = func() time.Time { now = now.Add(time.Hour); return now }
	s := open(t, o)
	for _, p := range []string{"a", "b", "c", "a"} {
		local(t, s, p)
	}
	o.CacheBytes = objectBytes
	again := open(t, o)
	if _, size := cached(t, o); size != objectBytes {
		t.Errorf("the cache has %d bytes", size)
	}
	if n := f.asks(func() { local(t, again, "a") }); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestDamageWhileItRuns(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 2, "a")
	local(t, s, "a")
	names, _ := cached(t, o)
	if err := os.Truncate(names[0], 1); err != nil {
		t.Fatal(err)
	}
	if n := f.asks(func() {
		if got := local(t, s, "a"); !bytes.Equal(got, contentOf("a")) {
			t.Errorf("it has %d bytes", len(got))
		}
	}); n == 0 {
		t.Error("a cut file was lent")
	}
	if names, size := cached(t, o); len(names) != 1 || size != objectBytes {
		t.Errorf("the cache has %q", names)
	}
}

// TestCommittedIsCached: the newest segments are there before they are asked for.
func TestCommittedIsCached(t *testing.T) {
	t.Parallel()
	s, f := openFront(t)
	put(t, s, "a", contentOf("a"))
	if n := f.asks(func() {
		if got := local(t, s, "a"); !bytes.Equal(got, contentOf("a")) {
			t.Errorf("it has %d bytes", len(got))
		}
		o, err := s.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		b := make([]byte, 5)
		if n, err := o.ReadAt(b, 10); n != 5 || err != nil || string(b) != "a    " {
			t.Errorf("ReadAt = %d, %v, %q", n, err, b)
		}
	}); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestReplacedIsNotTakenFromTheCache, whoever replaced it.
func TestReplacedIsNotTakenFromTheCache(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	s, other := open(t, f.options(t)), open(t, f.options(t))
	for i := range 3 {
		want := fmt.Sprint("content ", i)
		if err := other.Replace(t.Context(), "manifest.json", []byte(want)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := local(t, s, "manifest.json"); string(got) != want {
				t.Errorf("it is %q, want %q", got, want)
			}
		}
	}
}

// TestRemovedDuringDownload: what is gone is not cached afterwards.
func TestRemovedDuringDownload(t *testing.T) {
	t.Parallel()
	s, f, o := filled(t, 2, "a")
	began, gate := make(chan struct{}), make(chan struct{})
	late, _ := times(1, method("GET"), func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		pass(w, r) // The content is on its way.
		close(began)
		<-gate
	})
	f.breakWith(late)
	done := make(chan error)
	go func() {
		_, release, err := s.LocalPath(t.Context(), "a")
		if err == nil {
			release()
		}
		done <- err
	}()
	<-began
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	close(gate)
	if err := <-done; err != nil && !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("LocalPath = %v", err)
	}
	if _, _, err := s.LocalPath(t.Context(), "a"); !errors.Is(err, lake.ErrNotExist) {
		t.Errorf("then LocalPath = %v", err)
	}
	if names, _ := cached(t, o); len(names) != 0 {
		t.Errorf("the cache has %q", names)
	}
}

// TestCacheUnderLoad: many readers of more objects than fit, some of which are removed.
func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	var paths []string
	for i := range 12 {
		paths = append(paths, fmt.Sprintf("o%02d", i))
	}
	s, _, o := filled(t, 6, paths...)
	seed := rand.Uint64()
	var all sync.WaitGroup
	for w := range 4 {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		all.Go(func() {
			for range 60 {
				p := paths[random.IntN(len(paths))]
				name, release, err := s.LocalPath(t.Context(), p)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
				if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, contentOf(p)) {
					t.Errorf("seed %d: %s has %d bytes, %v", seed, p, len(b), err)
				}
				release()
				if random.IntN(20) == 0 {
					if err := s.Replace(t.Context(), p, contentOf(p)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if names, size := cached(t, o); size > o.CacheBytes || s3.Used(s) != size {
		t.Errorf("seed %d: the cache has %d bytes in %d files and counts %d", seed, size, len(names), s3.Used(s))
	}
}

func TestDirectoriesArePrivate(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	o := f.options(t)
	if err := os.MkdirAll(filepath.Join(o.Dir, "drafts"), 0o755); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(o.Dir, "drafts", "left.tmp")
	if err := os.WriteFile(left, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	put(t, s, "a", []byte("x"))
	for _, dir := range []string{"", "drafts", "cache"} {
		if info, err := os.Stat(filepath.Join(o.Dir, dir)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory %q: %v, %v", dir, info, err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a staged object of before: %v", err)
	}
}
