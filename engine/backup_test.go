package engine_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/maintain/backup"
)

// backUp makes a backup by SQL and returns its manifest.
func (s *server) backUp(dir string) *backup.Manifest {
	s.t.Helper()
	r := s.must(root, "BACKUP DATABASE TO '"+dir+"'")
	if j := s.await(r.jobs[0]); j.Status != kalam.JobCompleted {
		s.t.Fatalf("backup is %s: %s", j.Status, j.Error)
	}
	list := backupsIn(s.t, dir)
	return list[len(list)-1].Manifest
}

// backupsIn lists the backups in a directory.
func backupsIn(t testing.TB, dir string) []backup.Listed {
	t.Helper()
	d, err := backup.Open(context.Background(), dir, false)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	list, err := d.List(context.Background())
	must(t, err)
	return list
}

// restore restores a backup into a new directory and returns how a server there is configured.
func restore(t testing.TB, dir string, cfg config.Config, change ...func(*backup.RestoreOptions)) (config.Config, error) {
	t.Helper()
	cfg.Storage.DataPath = filepath.Join(t.TempDir(), "restored")
	d, err := backup.Open(context.Background(), dir, false)
	must(t, err)
	defer func() { must(t, d.Close()) }()
	o := backup.RestoreOptions{Pair: cfg.Pair()}
	for _, f := range change {
		f(&o)
	}
	_, err = backup.Restore(context.Background(), d, o)
	return cfg, err
}

// serverAt starts a server with a configuration.
func serverAt(t testing.TB, cfg config.Config) *server {
	t.Helper()
	s := &server{t: t, config: cfg}
	s.start()
	t.Cleanup(s.stop)
	return s
}

// ledgerEntry is an acknowledged write of a row.
type ledgerEntry struct {
	id, n   int
	deleted bool
}

// backupWriters write to app.notes until stop ends them, each to rows of its own; what was acknowledged is in the
// ledger of the writer, in order.
type backupWriters struct {
	mu     sync.Mutex
	ledger [][]ledgerEntry
	ended  atomic.Bool
	wg     sync.WaitGroup
	failed atomic.Pointer[error]
}

// ownRows is how many ids each writer has.
const ownRows = 1_000_000

// writerUsers is how many users the writers are.
const writerUsers = 4

func writerUser(i int) kalam.Principal { return userOf(fmt.Sprintf("u%d", i%writerUsers)) }

func startBackupWriters(s *server, count int) *backupWriters {
	w := &backupWriters{ledger: make([][]ledgerEntry, count)}
	for i := range count {
		w.wg.Go(func() { w.write(s, i) })
	}
	return w
}

func (w *backupWriters) write(s *server, i int) {
	rows := 0
	for n := 0; !w.ended.Load(); n++ {
		e := ledgerEntry{id: i*ownRows + rows, n: n}
		sql := fmt.Sprintf("INSERT INTO app.notes (id, n) VALUES (%d, %d)", e.id, n)
		switch {
		case rows > 0 && n%3 == 1:
			e.id = i*ownRows + (n*7)%rows
			sql = fmt.Sprintf("INSERT INTO app.notes (id, n) VALUES (%d, %d) ON CONFLICT (id) DO UPDATE SET n = %d", e.id, n, n)
		case rows > 0 && n%11 == 5:
			e.id, e.deleted = i*ownRows+(n*5)%rows, true
			sql = fmt.Sprintf("DELETE FROM app.notes WHERE id = %d", e.id)
		default:
			rows++
		}
		if _, err := s.try(writerUser(i), sql); err != nil {
			w.failed.CompareAndSwap(nil, &err)
			return
		}
		w.mu.Lock()
		w.ledger[i] = append(w.ledger[i], e)
		w.mu.Unlock()
	}
}

// acknowledged returns how many writes of each writer were.
func (w *backupWriters) acknowledged() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := make([]int, len(w.ledger))
	for i := range counts {
		counts[i] = len(w.ledger[i])
	}
	return counts
}

// wait returns when every writer has had so many writes acknowledged more than in from.
func (w *backupWriters) wait(t *testing.T, from []int, more int) {
	t.Helper()
	eventually.True(t, "the writers go on", func() bool {
		for i, n := range w.acknowledged() {
			if n < from[i]+more && w.failed.Load() == nil {
				return false
			}
		}
		return true
	})
}

func (w *backupWriters) stop(t *testing.T) {
	t.Helper()
	w.ended.Store(true)
	w.wg.Wait()
	if err := w.failed.Load(); err != nil {
		t.Fatalf("a writer failed: %v", *err)
	}
}

// note is a row of app.notes.
type note struct {
	n   int
	seq kalam.Seq
}

// notesOf returns the rows of all users by id, and fails when one is there twice.
func notesOf(s *server) map[int]note {
	s.t.Helper()
	number := func(cell string) int {
		n, err := strconv.Atoi(strings.Trim(cell, `"`))
		must(s.t, err)
		return n
	}
	rows := map[int]note{}
	for u := range writerUsers {
		for _, r := range s.must(writerUser(u), "SELECT id, n, _seq FROM app.notes").rows {
			id := number(r[0])
			if _, twice := rows[id]; twice {
				s.t.Errorf("row %d is there twice", id)
			}
			rows[id] = note{number(r[1]), kalam.Seq(number(r[2]))}
		}
	}
	return rows
}

// checkPrefix checks that the rows of every writer are what the first writes of its ledger make, at least those that
// were acknowledged before the backup and none that began after it, and that they are those up to seq: what is still
// as it was then, and older than seq, is there, and nothing is newer.
func (w *backupWriters) checkPrefix(t *testing.T, restored, now map[int]note, seq kalam.Seq, least, most []int) {
	t.Helper()
	for i := range w.ledger {
		want, at := map[int]int{}, -1
		got := map[int]int{}
		for id, r := range restored {
			if id/ownRows == i {
				got[id] = r.n
			}
		}
		for k := 0; k <= len(w.ledger[i]) && at < 0; k++ {
			if k >= least[i] && k <= most[i]+1 && maps.Equal(want, got) {
				at = k
			}
			if k == len(w.ledger[i]) {
				break
			}
			if e := w.ledger[i][k]; e.deleted {
				delete(want, e.id)
			} else {
				want[e.id] = e.n
			}
		}
		if at < 0 {
			t.Errorf("writer %d: its %d rows are those of no number of its first writes from %d to %d", i, len(got), least[i],
				most[i]+1)
		}
	}
	for id, r := range restored {
		if r.seq > seq {
			t.Errorf("row %d has seq %d, the backup ends with %d", id, r.seq, seq)
		}
	}
	for id, r := range now {
		if have, ok := restored[id]; r.seq <= seq && (!ok || have != r) {
			t.Errorf("row %d with seq %d is not in the backup up to %d as it was", id, r.seq, seq)
		}
	}
}

// filesIn returns the files of a directory of backups, by their names, with their sizes.
func filesIn(t testing.TB, dir, below string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	must(t, filepath.WalkDir(filepath.Join(dir, below), func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		out[filepath.Base(name)] = info.Size()
		return err
	}))
	return out
}

// TestBackupWhileWriting has 16 writers write, with flushes and compactions, while backups are made. A server that is
// made of a backup alone has every write up to its seq, none above, and none twice; and it goes on.
func TestBackupWhileWriting(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Lake.CompactSegments = 4 })
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, n BIGINT) FLUSH_POLICY 'manual'")
	dir := filepath.Join(t.TempDir(), "backups")
	w := startBackupWriters(s, 16)
	type made struct {
		manifest    *backup.Manifest
		least, most []int
	}
	var all []made
	for range 4 {
		w.wait(t, w.acknowledged(), 12)
		flushed := s.must(root, "STORAGE FLUSH ALL") // And compactions after it.
		b := made{least: w.acknowledged()}
		b.manifest = s.backUp(dir)
		b.most = w.acknowledged()
		all = append(all, b)
		for _, id := range flushed.jobs {
			s.await(id)
		}
	}
	w.wait(t, w.acknowledged(), 3)
	w.stop(t)
	now := notesOf(s)
	s.stop() // What follows has only the backups.
	must(t, os.RemoveAll(s.config.Storage.DataPath))
	for _, b := range all {
		cfg, err := restore(t, dir, s.config, func(o *backup.RestoreOptions) { o.ID = b.manifest.ID })
		must(t, err)
		r := serverAt(t, cfg)
		rows := notesOf(r)
		w.checkPrefix(t, rows, now, b.manifest.Seq, b.least, b.most)
		r.flush()
		r.must(writerUser(0), "INSERT INTO app.notes (id, n) VALUES (999999999, 1)")
		if n := len(notesOf(r)); n != len(rows)+1 {
			t.Errorf("%d rows after a flush and an INSERT, %d before", n, len(rows))
		}
		r.stop()
		if lines, _, err := verified(t, cfg); err != nil || len(lines) > 0 {
			t.Errorf("the restored lake: %v, %q", err, lines)
		}
		t.Logf("backup %s: seq %d, %d segments, %d buffered rows, %d rows restored", b.manifest.ID, b.manifest.Seq,
			len(b.manifest.Segments), b.manifest.Buffered, len(rows))
	}
}

// TestBackupIsIncremental makes backups one after the other: only files of new segments are new.
func TestBackupIsIncremental(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, n BIGINT) FLUSH_POLICY 'manual'")
	dir := filepath.Join(t.TempDir(), "backups")
	insert := func(from int) {
		for u := range writerUsers {
			s.must(writerUser(u), fmt.Sprintf("INSERT INTO app.notes SELECT i, i FROM range(%d, %d) AS r(i)", from, from+100))
		}
		s.flush()
	}
	insert(0)
	first := s.backUp(dir)
	before := filesIn(t, dir, "objects")
	if want := 2 * writerUsers; len(first.Segments) != writerUsers || len(before) != want {
		t.Errorf("the first backup has %d segments and %d files, want %d and %d", len(first.Segments), len(before), writerUsers,
			want)
	}
	s.backUp(dir)
	if diff := cmp.Diff(before, filesIn(t, dir, "objects")); diff != "" {
		t.Errorf("files of a backup of nothing new (-before +after):\n%s", diff)
	}
	insert(1000)
	third := s.backUp(dir)
	after := filesIn(t, dir, "objects")
	if want := 4 * writerUsers; len(third.Segments) != 2*writerUsers || len(after) != want {
		t.Errorf("the third backup has %d segments, and there are %d files, want %d and %d", len(third.Segments), len(after),
			2*writerUsers, want)
	}
	for name, size := range before {
		if after[name] != size {
			t.Errorf("file %s has %d bytes, had %d", name, after[name], size)
		}
	}
	if list := backupsIn(t, dir); len(list) != 3 || list[0].ID != first.ID || list[2].ID != third.ID {
		t.Errorf("listed: %v", list)
	}
}
