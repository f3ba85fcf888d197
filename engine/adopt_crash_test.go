package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/adopt"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/maintain/verify"
)

// lakeCopy is the storage of a lake at some moment, and the answers that its files have
// to give.
type lakeCopy struct {
	name string
	want map[string]string
}

// adopted starts a server on a copied storage after an adoption and returns it with the
// report.
func adopted(t *testing.T, data string, o adopt.Options) (*server, *adopt.Report) {
	t.Helper()
	cfg := config.Default()
	cfg.Storage.DataPath, cfg.Auth.BcryptCost, cfg.Query.Threads = data, 4, 2
	report := adoptAnew(t, cfg, o)
	s := &server{t: t, config: cfg}
	s.start()
	t.Cleanup(s.stop)
	return s, report
}

// copyAt makes the storage of a copy in a directory of its own.
func copyAt(t *testing.T, from, name string) (data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), name)
	copyTree(t, filepath.Join(from, name), filepath.Join(data, "storage"))
	return data
}

// manifestsOf returns the manifest.json files of a data directory.
func manifestsOf(t *testing.T, data string) (list []string) {
	t.Helper()
	for p := range treeOf(t, data) {
		if filepath.Base(p) == "manifest.json" {
			list = append(list, filepath.Join(data, p))
		}
	}
	slices.Sort(list)
	return list
}

// TestAdoptAfterCrash adopts what a crash leaves at every named point of flushes and
// compactions, with orphans, replaced files and a manifest.json of before, and the same
// without any manifest.json (case D1). The answers are those of the last flush of each
// user whose file had its name.
func TestAdoptAfterCrash(t *testing.T) {
	users, tables := []string{"ann", "ben"}, []string{"app.t", "app.s"}
	crashes := t.TempDir()
	var copies []lakeCopy
	var flushed, current map[string]string
	var armed, round atomic.Int64
	s := newServer(t, func(c *config.Config) { c.Retention.DefaultDeletedRetentionHours = 0 })
	storage := s.config.StoragePath()
	s.stop()
	s.opts.Wrap = hook(func(point string) error {
		if armed.Load() == 0 {
			return nil
		}
		want := flushed
		if armed.Load() == 1 && slices.Contains([]string{"segment", "committing", "committed", "trimming", "trimmed",
			"manifest"}, point) {
			want = current
		}
		if armed.Load() == 2 {
			point = "compact-" + point
		}
		c := lakeCopy{fmt.Sprintf("%02d-%02d-%s", round.Load(), len(copies), point), want}
		copyTree(t, storage, filepath.Join(crashes, c.name))
		copies = append(copies, c)
		return nil
	}).wrap()
	s.start()
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) WITH (FLUSH_POLICY = 'manual')")
	s.must(root,
		"CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY) WITH (FLUSH_POLICY = 'manual', ACCESS_LEVEL = 'public')")
	s.must(root, "INSERT INTO app.s VALUES (1), (2)") // Of one table at a time something changes.
	change := func(i int) {
		for _, u := range users {
			s.must(userOf(u), fmt.Sprintf("INSERT INTO app.t SELECT 10 * %d + i, 'v' FROM range(10) r(i)", i))
			s.must(userOf(u), fmt.Sprintf("UPDATE app.t SET v = 'u%d' WHERE id %% 7 = %d", i, i))
			s.must(userOf(u), fmt.Sprintf("DELETE FROM app.t WHERE id %% 5 = %d", i))
		}
	}
	for i := range 4 {
		round.Store(int64(i))
		change(i)
		current = answersOf(s, users, tables)
		if i == 3 {
			armed.Store(1)
		}
		s.flush()
		armed.Store(0)
		flushed = current
	}
	change(4) // Only in the buffer, and lost.
	round.Store(9)
	armed.Store(2)
	s.compactAll()
	armed.Store(0)
	s.stop()
	if len(copies) < 18 {
		t.Fatalf("only %d points", len(copies))
	}
	replaced := false
	for _, c := range copies {
		adoptCopy(t, crashes, c, "whole", func(string) {})
		adoptCopy(t, crashes, c, "without manifest.json", func(data string) {
			for _, p := range manifestsOf(t, data) {
				must(t, os.Remove(p))
			}
		})
		if replaced || !strings.HasSuffix(c.name, "compact-committed") {
			continue
		}
		replaced = true // manifest.json names what was replaced, and some of that is gone.
		for n := 1; n <= 4; n++ {
			adoptCopy(t, crashes, c, fmt.Sprintf("without %d replaced", n), func(data string) {
				for range n {
					removeOldest(t, data, "users/ann/app/t")
				}
			})
		}
	}
	if !replaced {
		t.Error("no compaction was cut short")
	}
}

// adoptCopy adopts a copy of a storage and compares the answers.
func adoptCopy(t *testing.T, crashes string, c lakeCopy, variant string, change func(data string)) {
	t.Run(c.name+" "+variant, func(t *testing.T) {
		data := copyAt(t, crashes, c.name)
		change(data)
		s, report := adopted(t, data, adopt.Options{})
		if !report.Complete() {
			t.Errorf("not complete:\n%s", textOf(t, report))
		}
		users, tables := []string{"ann", "ben"}, []string{"app.t", "app.s"}
		sameAnswers(t, c.want, answersOf(s, users, tables))
		s.compactAll()
		sameAnswers(t, c.want, answersOf(s, users, tables))
	})
}

// removeOldest removes the oldest file that a manifest.json names, as the end of a compaction does
// first.
func removeOldest(t *testing.T, data, folder string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "storage", folder, "manifest.json"))
	must(t, err)
	for _, name := range segmentNames.FindAllString(string(raw), -1) { // In their order.
		name = filepath.Join(data, "storage", folder, name)
		if _, err := os.Stat(name); err == nil {
			must(t, os.Remove(name))
			must(t, os.Remove(strings.TrimSuffix(name, ".parquet")+".keys"))
			return
		}
	}
	t.Fatal("nothing that it names is left")
}

// segmentNames finds names of segments in a manifest.json.
var segmentNames = regexp.MustCompile(`[0-9T-]+\.parquet`)

// TestAdoptIsInterrupted ends an adoption at each of its steps. No server starts on what
// is left, and the next adoption gives the whole lake.
func TestAdoptIsInterrupted(t *testing.T) {
	for _, marked := range []bool{true, false} {
		s := newServer(t)
		adoptLake(s)
		before := answersOf(s, adoptUsers, adoptTables)
		s.stop()
		if !marked {
			must(t, os.RemoveAll(filepath.Join(s.config.StoragePath(), ".kalam")))
		}
		must(t, os.RemoveAll(s.config.BufferPath()))
		// As a kill between the first keyspace and the note of the adoption leaves it.
		openBuffer(t, s.config, func(b *badger.Backend) { must(t, b.CreateKeyspace(t.Context(), catalog.Keyspace)) })
		boom := errors.New("crash")
		steps, finished := 0, false
		for stop := 1; !finished; stop++ {
			w := &killedWrites{stop: stop, err: boom}
			_, err := adopt.Run(context.Background(), s.config.Adopt(), adopt.Options{Wrap: w.wrap()})
			if err == nil {
				break // An earlier one has marked the storage, so that there was less to do.
			}
			if !errors.Is(err, boom) {
				t.Fatalf("marked %v, step %d: %v", marked, stop, err)
			}
			if steps, finished = stop, w.finished; finished {
				break
			}
			if _, err := engine.Open(context.Background(), s.config, engine.Options{}); err == nil ||
				!strings.Contains(err.Error(), "repair --adopt") {
				t.Fatalf("marked %v: a server started on an adoption that ended after %s: %v", marked, w.last, err)
			}
		}
		if steps < 8 {
			t.Errorf("only %d steps", steps)
		}
		check := func() {
			t.Helper()
			result, err := verify.Run(t.Context(), s.config.Inspect(),
				verify.Options{Problem: func(line string) { t.Error(line) }})
			if err != nil || result.Unnamed > 0 || result.Segments < 20 {
				t.Errorf("verify: %+v, %v", result, err)
			}
		}
		check() // Also before a start has written manifest.json anew, or while one was cut short in that.
		s.start()
		sameAnswers(t, before, answersOf(s, adoptUsers, adoptTables))
		s.stop()
		check()
	}
}

// killedWrites lets an adoption write as often as stop says, and then nothing more: the last
// write is done and fails all the same, as one of a process that was killed right after it.
type killedWrites struct {
	stop     int
	err      error
	writes   int
	last     string
	finished bool // The last write was the record of the lake.
}

func (w *killedWrites) wrap() pair.Wrap {
	return pair.Wrap{
		Backend: func(b buffer.Backend) buffer.Backend { return killedBackend{b, w} },
		Storage: func(s lake.Storage) lake.Storage { return killedStorage{s, w} },
	}
}

// do does a write, unless it comes after the last.
func (w *killedWrites) do(name string, write func() error) error {
	if w.writes++; w.writes > w.stop {
		return w.err
	}
	if err := write(); err != nil || w.writes < w.stop {
		return err
	}
	w.last = name
	return w.err
}

type killedBackend struct {
	buffer.Backend
	writes *killedWrites
}

func (b killedBackend) Apply(ctx context.Context, ops []buffer.Op) error {
	err := b.writes.do("Apply", func() error { return b.Backend.Apply(ctx, ops) })
	_, point := pointsOf(ops)
	b.writes.finished = b.writes.finished || point == "recorded" && b.writes.writes == b.writes.stop
	return err
}

func (b killedBackend) CreateKeyspace(ctx context.Context, name string) error {
	return b.writes.do("CreateKeyspace", func() error { return b.Backend.CreateKeyspace(ctx, name) })
}

func (b killedBackend) DropKeyspace(ctx context.Context, name string) error {
	return b.writes.do("DropKeyspace", func() error { return b.Backend.DropKeyspace(ctx, name) })
}

type killedStorage struct {
	lake.Storage
	writes *killedWrites
}

func (s killedStorage) Commit(ctx context.Context, staged ...lake.Staged) error {
	return s.writes.do("Commit", func() error { return s.Storage.Commit(ctx, staged...) })
}

func (s killedStorage) Replace(ctx context.Context, p string, content []byte) error {
	return s.writes.do("Replace", func() error { return s.Storage.Replace(ctx, p, content) })
}

func (s killedStorage) Move(ctx context.Context, from, to string) error {
	return s.writes.do("Move", func() error { return s.Storage.Move(ctx, from, to) })
}

func (s killedStorage) Remove(ctx context.Context, p string) error {
	return s.writes.do("Remove", func() error { return s.Storage.Remove(ctx, p) })
}
