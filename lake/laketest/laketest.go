package laketest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// Run checks that a Storage keeps its contract. open returns an empty storage;
// it is called once per subtest and registers its own cleanup.
func Run(t *testing.T, open func(t *testing.T) lake.Storage) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, lake.Storage)
	}{
		{"CommitMakesObjects", testCommit},
		{"NothingIsSeenBeforeCommit", testBeforeCommit},
		{"CommitNeverOverwrites", testNoOverwrite},
		{"CommitIsAllOrNothing", testAllOrNothing},
		{"CommitWithoutFile", testCommitWithoutFile},
		{"CommitOfMany", testCommitMany},
		{"CommitOfForeignStaged", testForeignStaged},
		{"AbortLeavesNothing", testAbort},
		{"ReplaceCreatesAndReplaces", testReplace},
		{"ReplaceOfMany", testReplaceAll},
		{"MissingObjects", testMissing},
		{"RemoveRemoves", testRemove},
		{"MoveMoves", testMove},
		{"MoveNeverOverwrites", testMoveNoOverwrite},
		{"ReadAt", testReadAt},
		{"ListFindsWhatIsBelow", testList},
		{"PathsStayInside", testPaths},
		{"CancelledContext", testCancelled},
		{"RacingCommitsOneWins", testRace},
		{"ConcurrentUse", testConcurrent},
		{"CheckIsHealthy", testHealth},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// put commits content at p.
func put(t *testing.T, s lake.Storage, p, content string) {
	t.Helper()
	d := stage(t, s, p, content)
	if err := s.Commit(t.Context(), d); err != nil {
		t.Fatalf("Commit(%q): %v", p, err)
	}
}

// stage object returns a written staged object.
func stage(t *testing.T, s lake.Storage, p, content string) lake.Staged {
	t.Helper()
	d, err := s.Create(t.Context(), p)
	if err != nil {
		t.Fatalf("Create(%q): %v", p, err)
	}
	if d.Path() != p {
		t.Errorf("Path() = %q, want %q", d.Path(), p)
	}
	if err := os.WriteFile(d.LocalPath(), []byte(content), 0o600); err != nil {
		t.Fatalf("write staged object of %q: %v", p, err)
	}
	return d
}

// get returns the content at p, or fails.
func get(t *testing.T, s lake.Storage, p string) string {
	t.Helper()
	o, err := s.Open(t.Context(), p)
	if err != nil {
		t.Fatalf("Open(%q): %v", p, err)
	}
	b, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err := errors.Join(err, o.Close()); err != nil {
		t.Fatalf("read %q: %v", p, err)
	}
	return string(b)
}

// list returns the paths below prefix in order, all of them.
func list(t *testing.T, s lake.Storage, prefix string) []string {
	t.Helper()
	var paths []string
	if err := s.List(t.Context(), prefix, func(e lake.Entry) error {
		paths = append(paths, e.Path)
		return nil
	}); err != nil {
		t.Fatalf("List(%q): %v", prefix, err)
	}
	slices.Sort(paths)
	return paths
}

func wantList(t *testing.T, s lake.Storage, prefix string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, list(t, s, prefix)); diff != "" {
		t.Errorf("List(%q) (-want +got):\n%s", prefix, diff)
	}
}

// wantIs checks the sentinel of an error, and that it names nothing outside the
// storage.
func wantIs(t *testing.T, s lake.Storage, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s = %v, want %v", what, err, target)
	}
	if p := s.Properties(); p.Local && err != nil && strings.Contains(err.Error(), p.Location) {
		t.Errorf("%s = %q, which names the storage's directory", what, err)
	}
}

func testCommit(t *testing.T, s lake.Storage) {
	large := strings.Repeat("0123456789abcdef", 200_000)
	a, b, c := stage(t, s, "users/alice/app/notes/a", "one"), stage(t, s, "b", large),
		stage(t, s, "users/alice/empty", "")
	if err := s.Commit(t.Context(), a, b, c); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]string{"users/alice/app/notes/a": "one", "b": large, "users/alice/empty": ""} {
		if got := get(t, s, p); got != want {
			t.Errorf("%s has %d bytes, want %d", p, len(got), len(want))
		}
		name, release, err := s.LocalPath(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		release()
		if err != nil || string(got) != want {
			t.Errorf("local file of %s has %d bytes, %v; want %d", p, len(got), err, len(want))
		}
	}
	wantList(t, s, "", "b", "users/alice/app/notes/a", "users/alice/empty")
	if err := s.Commit(t.Context(), a); err == nil {
		t.Error("a staged object was committed twice")
	}
	if err := a.Abort(); err != nil {
		t.Errorf("Abort after Commit = %v", err)
	}
	if got := get(t, s, "users/alice/app/notes/a"); got != "one" {
		t.Errorf("after Abort of a committed staged object the object is %q", got)
	}
}

func testBeforeCommit(t *testing.T, s lake.Storage) {
	d := stage(t, s, "x/y.parquet", "half")
	_, err := s.Open(t.Context(), "x/y.parquet")
	wantIs(t, s, "Open before Commit", err, lake.ErrNotExist)
	for _, p := range list(t, s, "") {
		if strings.HasSuffix(p, ".parquet") {
			t.Errorf("List shows %q before Commit", p)
		}
	}
	if !strings.HasSuffix(d.LocalPath(), ".tmp") {
		t.Errorf("the staged object is written to %q", d.LocalPath())
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
}

func testNoOverwrite(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "first")
	err := s.Commit(t.Context(), stage(t, s, "d/a", "second"))
	wantIs(t, s, "Commit over an object", err, lake.ErrExist)
	if got := get(t, s, "d/a"); got != "first" {
		t.Errorf("the object is now %q", got)
	}
	wantList(t, s, "", "d/a")
}

func testAllOrNothing(t *testing.T, s lake.Storage) {
	put(t, s, "d/b", "first")
	err := s.Commit(t.Context(), stage(t, s, "d/a", "new"), stage(t, s, "d/b", "second"))
	wantIs(t, s, "Commit over an object", err, lake.ErrExist)
	if got := get(t, s, "d/b"); got != "first" {
		t.Errorf("the object is now %q", got)
	}
	wantList(t, s, "", "d/b")
}

// testCommitMany commits staged objects in many folders at once, all of them or none.
func testCommitMany(t *testing.T, s lake.Storage) {
	const n = 40
	staged := make([]lake.Staged, 0, 2*n)
	var paths []string
	for i := range n {
		folder := fmt.Sprintf("users/u%02d/app/t/", i)
		staged = append(staged, stage(t, s, folder+"a", folder), stage(t, s, folder+"b", ""))
		paths = append(paths, folder+"a", folder+"b")
	}
	if err := s.Commit(t.Context(), staged...); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "", paths...)
	for i := range n {
		folder := fmt.Sprintf("users/u%02d/app/t/", i)
		if got := get(t, s, folder+"a"); got != folder {
			t.Errorf("%sa is %q", folder, got)
		}
	}
	staged = staged[:0]
	for i := range n {
		staged = append(staged, stage(t, s, fmt.Sprintf("users/v%02d/a", i), "new"))
	}
	staged = append(staged, stage(t, s, "users/u07/app/t/a", "again"))
	wantIs(t, s, "Commit over an object", s.Commit(t.Context(), staged...), lake.ErrExist)
	wantList(t, s, "", paths...)
	if got := get(t, s, "users/u07/app/t/a"); got != "users/u07/app/t/" {
		t.Errorf("the object is %q", got)
	}
}

// testReplaceAll replaces many objects, some of which exist.
func testReplaceAll(t *testing.T, s lake.Storage) {
	b, ok := s.(lake.BatchReplacer)
	if !ok {
		return // Replace does it.
	}
	var objects []lake.Content
	var paths []string
	for i := range 30 {
		p := fmt.Sprintf("users/u%02d/manifest.json", i)
		if i%2 == 0 {
			put(t, s, p, "old")
		}
		paths = append(paths, p)
		objects = append(objects, lake.Content{Path: p, Bytes: []byte(p)})
	}
	for _, n := range []int{0, 1, len(objects)} {
		if err := b.ReplaceAll(t.Context(), objects[:n]); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, s, "", paths...)
	for _, p := range paths {
		if got := get(t, s, p); got != p {
			t.Errorf("%s is %q", p, got)
		}
	}
	bad := append(slices.Clone(objects), lake.Content{Path: "../outside"})
	for i := range bad {
		bad[i].Bytes = []byte("new")
	}
	if err := b.ReplaceAll(t.Context(), bad); kalam.CodeOf(err) != kalam.CodeInvalidInput {
		t.Errorf("ReplaceAll of a path outside = %v", err)
	}
	wantList(t, s, "", paths...)
	if got := get(t, s, paths[0]); got != paths[0] {
		t.Errorf("after an error %s is %q", paths[0], got)
	}
}

func testCommitWithoutFile(t *testing.T, s lake.Storage) {
	d, err := s.Create(t.Context(), "d/b")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), stage(t, s, "d/a", "new"), d)
	wantIs(t, s, "Commit without a file", err, lake.ErrNotExist)
	wantList(t, s, "")
}

type otherStaged struct{ lake.Staged }

func testForeignStaged(t *testing.T, s lake.Storage) {
	d := stage(t, s, "d/a", "new")
	if err := s.Commit(t.Context(), otherStaged{d}); err == nil {
		t.Error("a staged object of another storage was committed")
	}
	if err := d.Abort(); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "")
}

func testAbort(t *testing.T, s lake.Storage) {
	d := stage(t, s, "d/e/a", "new")
	for range 2 {
		if err := d.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(d.LocalPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of an aborted staged object: %v", err)
	}
	if err := s.Commit(t.Context(), d); err == nil {
		t.Error("an aborted staged object was committed")
	}
	unwritten, err := s.Create(t.Context(), "d/e/b")
	if err != nil {
		t.Fatal(err)
	}
	if err := unwritten.Abort(); err != nil {
		t.Errorf("Abort without a file = %v", err)
	}
	wantList(t, s, "")
	put(t, s, "d/e/a", "again")
}

func testReplace(t *testing.T, s lake.Storage) {
	for _, content := range []string{"one", "two, longer", "", "3"} {
		if err := s.Replace(t.Context(), "d/manifest.json", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, "d/manifest.json"); got != content {
			t.Errorf("after Replace the object is %q, want %q", got, content)
		}
	}
	wantList(t, s, "", "d/manifest.json")
}

func testMissing(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "x")
	for _, p := range []string{"nothing", "d/nothing", "nothing/here", "d"} {
		_, err := s.Open(t.Context(), p)
		wantIs(t, s, "Open "+p, err, lake.ErrNotExist)
		_, _, err = s.LocalPath(t.Context(), p)
		wantIs(t, s, "LocalPath "+p, err, lake.ErrNotExist)
		if err := s.Remove(t.Context(), p); err != nil {
			t.Errorf("Remove(%q) = %v", p, err)
		}
	}
	wantList(t, s, "nothing")
	wantList(t, s, "", "d/a")
}

func testRemove(t *testing.T, s lake.Storage) {
	put(t, s, "d/e/a", "x")
	put(t, s, "d/e/b", "y")
	for _, p := range []string{"d/e/a", "d/e/b"} {
		if err := s.Remove(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		_, err := s.Open(t.Context(), p)
		wantIs(t, s, "Open after Remove", err, lake.ErrNotExist)
	}
	wantList(t, s, "")
	put(t, s, "d", "a folder's name is free again")
}

func testMove(t *testing.T, s lake.Storage) {
	put(t, s, "d/e/a", "x")
	put(t, s, "d/b", "y")
	before := map[string]lake.Entry{}
	if err := s.List(t.Context(), "", func(e lake.Entry) error {
		before[e.Path] = e
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Move(t.Context(), "d/e/a", ".trash/now/d/e/a"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, ".trash/now/d/e/a"); got != "x" {
		t.Errorf("the moved object is %q", got)
	}
	_, err := s.Open(t.Context(), "d/e/a")
	wantIs(t, s, "Open of the old name", err, lake.ErrNotExist)
	wantList(t, s, "", ".trash/now/d/e/a", "d/b")
	if err := s.List(t.Context(), ".trash", func(e lake.Entry) error {
		if !e.Modified.Equal(before["d/e/a"].Modified) {
			t.Errorf("it was modified at %s, now at %s", before["d/e/a"].Modified, e.Modified)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "d/e", "a folder's name is free again")
	if err := s.Move(t.Context(), ".trash/now/d/e/a", "back"); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "", "back", "d/b", "d/e")
}

func testMoveNoOverwrite(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "first")
	put(t, s, "d/b", "second")
	wantIs(t, s, "Move over an object", s.Move(t.Context(), "d/a", "d/b"), lake.ErrExist)
	wantIs(t, s, "Move onto itself", s.Move(t.Context(), "d/a", "d/a"), lake.ErrExist)
	for _, p := range []string{"nothing", "d/nothing", "nothing/here", "d"} {
		wantIs(t, s, "Move of "+p, s.Move(t.Context(), p, "e/f"), lake.ErrNotExist)
	}
	if a, b := get(t, s, "d/a"), get(t, s, "d/b"); a != "first" || b != "second" {
		t.Errorf("the objects are now %q and %q", a, b)
	}
	wantList(t, s, "", "d/a", "d/b")
}

func testReadAt(t *testing.T, s lake.Storage) {
	put(t, s, "a", "0123456789")
	o, err := s.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}()
	if o.Size() != 10 {
		t.Errorf("Size() = %d, want 10", o.Size())
	}
	b := make([]byte, 4)
	if n, err := o.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" {
		t.Errorf("ReadAt(4 bytes at 3) = %d, %v, %q", n, err, b)
	}
	if n, err := o.ReadAt(b, 8); n != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt(4 bytes at 8) = %d, %v; want 2, EOF", n, err)
	}
	if n, err := o.ReadAt(b, 20); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("ReadAt(4 bytes at 20) = %d, %v; want 0, EOF", n, err)
	}
}

func testList(t *testing.T, s lake.Storage) {
	for _, p := range []string{"users/a/x", "users/a/y/z", "users/ab/x", "shared/t/x"} {
		put(t, s, p, p)
	}
	wantList(t, s, "users/a", "users/a/x", "users/a/y/z")
	wantList(t, s, "users", "users/a/x", "users/a/y/z", "users/ab/x")
	wantList(t, s, "users/a/y", "users/a/y/z")
	wantList(t, s, "use")
	wantList(t, s, "users/a/x") // an object is no folder
	wantList(t, s, "", "shared/t/x", "users/a/x", "users/a/y/z", "users/ab/x")
	stop := errors.New("enough")
	n := 0
	err := s.List(t.Context(), "", func(e lake.Entry) error {
		if n++; e.Bytes != int64(len(e.Path)) || e.Modified.IsZero() {
			t.Errorf("entry %+v", e)
		}
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("List that stops = %v after %d entries", err, n)
	}
}

// badPaths are paths that leave the storage or that it must not have to guess
// about.
var badPaths = []string{
	"", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "a/../b", "./a", "a/./b", "a//b", "a/", "//a",
	"a\\..\\b", "..\\x", "C:/x", "c:x", "a\x00b", "a\nb", strings.Repeat("a/", 2000) + "a",
}

func testPaths(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "x")
	ctx := t.Context()
	for _, p := range badPaths {
		calls := map[string]func() error{
			"Create":    func() error { _, err := s.Create(ctx, p); return err },
			"Replace":   func() error { return s.Replace(ctx, p, []byte("bad")) },
			"Open":      func() error { _, err := s.Open(ctx, p); return err },
			"LocalPath": func() error { _, _, err := s.LocalPath(ctx, p); return err },
			"Remove":    func() error { return s.Remove(ctx, p) },
			"Move from": func() error { return s.Move(ctx, p, "e/f") },
			"Move to":   func() error { return s.Move(ctx, "d/a", p) },
		}
		if p != "" { // the root is a prefix
			calls["List"] = func() error { return s.List(ctx, p, func(lake.Entry) error { return nil }) }
		}
		for name, call := range calls {
			if err := call(); kalam.CodeOf(err) != kalam.CodeInvalidInput {
				t.Errorf("%s(%.40q) = %v, want InvalidInput", name, p, err)
			}
		}
	}
	wantList(t, s, "", "d/a")
}

func testCancelled(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "x")
	d := stage(t, s, "d/b", "y")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Create":    func() error { _, err := s.Create(ctx, "d/c"); return err },
		"Replace":   func() error { return s.Replace(ctx, "d/a", []byte("bad")) },
		"Open":      func() error { _, err := s.Open(ctx, "d/a"); return err },
		"LocalPath": func() error { _, _, err := s.LocalPath(ctx, "d/a"); return err },
		"Remove":    func() error { return s.Remove(ctx, "d/a") },
		"Move":      func() error { return s.Move(ctx, "d/a", "d/c") },
		"List":      func() error { return s.List(ctx, "", func(lake.Entry) error { return nil }) },
		"Commit":    func() error { return s.Commit(ctx, d) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", name, err)
		}
	}
	if h := s.Check(ctx); h.Err == nil {
		t.Error("Check with a cancelled context found no error")
	}
	wantList(t, s, "", "d/a")
	if got := get(t, s, "d/a"); got != "x" {
		t.Errorf("the object is now %q", got)
	}
}

func testRace(t *testing.T, s lake.Storage) {
	const writers = 8
	staged := make([]lake.Staged, writers)
	for i := range staged {
		staged[i] = stage(t, s, "d/same", fmt.Sprint(i))
	}
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range staged {
		wg.Go(func() { errs[i] = s.Commit(t.Context(), staged[i]) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("commits %d and %d both succeeded", winner, i)
		default:
			wantIs(t, s, "losing Commit", err, lake.ErrExist)
		}
	}
	if got := get(t, s, "d/same"); got != fmt.Sprint(winner) {
		t.Errorf("the object is %q, the winner was %d", got, winner)
	}
	wantList(t, s, "", "d/same")
}

func testConcurrent(t *testing.T, s lake.Storage) {
	const workers, rounds = 6, 20
	ctx := t.Context()
	work := func(w int) error {
		for r := range rounds {
			p := fmt.Sprintf("shared/folder%d/w%d", r%3, w)
			content := bytes.Repeat([]byte{byte(w)}, 100+r)
			d, err := s.Create(ctx, p)
			if err != nil {
				return err
			}
			if err := os.WriteFile(d.LocalPath(), content, 0o600); err != nil {
				return err
			}
			if err := s.Commit(ctx, d); err != nil {
				return err
			}
			o, err := s.Open(ctx, p)
			if err != nil {
				return err
			}
			got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
			if err := errors.Join(err, o.Close()); err != nil {
				return err
			}
			if !bytes.Equal(got, content) {
				return fmt.Errorf("%s: read %d bytes, want %d", p, len(got), len(content))
			}
			if err := s.Replace(ctx, "shared/manifest.json", content); err != nil {
				return err
			}
			if err := s.Remove(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = work(w) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	wantList(t, s, "", "shared/manifest.json")
}

func testHealth(t *testing.T, s lake.Storage) {
	put(t, s, "d/a", "x")
	h := s.Check(t.Context())
	if h.Status() != "healthy" || h.Err != nil || h.TestedAt.IsZero() {
		t.Errorf("Check() = %+v", h)
	}
	wantList(t, s, "", "d/a")
}
