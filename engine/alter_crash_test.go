package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// TestAlterDuringFlush alters a table at every named point of a flush and of a compaction, and looks at the disk before
// and after that as a crash there would find it: the rows are as the definition that is in force says, in the server
// that goes on and in each that starts on what a crash left. With KALAM_TEST_ALTERS it is every point.
func TestAlterDuringFlush(t *testing.T) {
	flush, compaction := []string{"written", "segment", "committing"}, []string{"copied", "segment", "committed"}
	if os.Getenv("KALAM_TEST_ALTERS") != "" {
		flush = []string{"collected", "written", "prepared", "segment", "committing", "committed", "trimming", "trimmed", "manifest"}
		compaction = []string{"collected", "copied", "written", "prepared", "segment", "committing", "committed", "manifest"}
	}
	for work, points := range map[string][]string{"flush": flush, "compaction": compaction} {
		for _, point := range points {
			t.Run(work+"/"+point, func(t *testing.T) { alterAt(t, work, point) })
		}
	}
}

// What the table of alterAt has to hold before and after it was altered.
const (
	beforeAlter = "id | a | n\n1 | a1 | 1\n2 | a2 | 2\n3 | changed | 3\n5 | a5 | 5\n"
	afterAlter  = "id | n | a\n1 | 1 | fresh\n2 | 2 | fresh\n3 | 3 | fresh\n5 | 5 | fresh\n"
)

func alterAt(t *testing.T, work, point string) {
	crashes := t.TempDir()
	var armed atomic.Bool
	s := newServer(t)
	data := s.config.Storage.DataPath
	s.stop()
	s.opts.Wrap = hook(func(at string) error {
		if at != point || !armed.CompareAndSwap(true, false) {
			return nil
		}
		copyTree(t, data, filepath.Join(crashes, "before"))
		for n, what := range []string{"DROP COLUMN a", "ADD COLUMN a TEXT DEFAULT 'fresh'", "ALTER COLUMN n TYPE BIGINT"} {
			done := make(chan error, 1)
			go func() { // Its own goroutine, as that of another client.
				_, err := s.tryCtx(context.Background(), root, "ALTER TABLE app.t "+what)
				done <- err
			}()
			if err := <-done; err != nil {
				t.Errorf("%s: %v", what, err)
			}
			copyTree(t, data, filepath.Join(crashes, fmt.Sprint("after ", n)))
		}
		return nil
	}).wrap()
	s.start()
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, a TEXT, n INT)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 'a1', 1), (2, 'a2', 2), (3, 'a3', 3), (4, 'a4', 4)")
	s.flush()
	s.must(ann, "UPDATE app.t SET a = 'changed' WHERE id = 3")
	s.must(ann, "DELETE FROM app.t WHERE id = 4")
	s.must(ann, "INSERT INTO app.t VALUES (5, 'a5', 5)")
	if work == "compaction" {
		s.flush()
	}
	armed.Store(true)
	if work == "flush" {
		s.flush()
	} else {
		s.compact()
	}
	if armed.Load() {
		t.Fatalf("a %s has no point %s", work, point)
	}
	checkAltered(s, "the server that went on", afterAlter)
	for name, want := range map[string]string{"before": beforeAlter, "after 2": afterAlter, "after 0": "", "after 1": ""} {
		c := &server{t: t, config: s.config}
		c.config.Storage.DataPath = filepath.Join(crashes, name)
		c.start()
		checkAltered(c, "after a crash "+name, want)
		c.stop()
	}
}

// checkAltered compares the table of alterAt in every state of its rows; want is "" for one that is altered in part.
func checkAltered(s *server, what, want string) {
	s.t.Helper()
	ann := userOf("ann")
	if want == "" {
		r := s.must(ann, "SELECT * EXCLUDE (_seq, _deleted) FROM app.t ORDER BY id")
		want = map[int]string{2: "id | n\n1 | 1\n2 | 2\n3 | 3\n5 | 5\n", 3: afterAlter}[len(r.columns)]
	}
	for _, when := range []string{"at once", "flushed", "compacted", "restarted"} {
		switch when {
		case "flushed":
			s.flush()
		case "compacted":
			s.compactAll()
		case "restarted":
			s.restart()
		}
		r := s.must(ann, "SELECT * EXCLUDE (_seq, _deleted) FROM app.t ORDER BY id")
		for _, row := range r.rows {
			for i := range row {
				row[i] = plainNumber(row[i])
			}
		}
		if got := r.table(); got != want {
			s.t.Errorf("%s, %s:\n%swant\n%s", what, when, got, want)
		}
	}
}

// plainNumber is a cell without the quotes of a BIGINT.
func plainNumber(cell string) string {
	if len(cell) > 2 && cell[0] == '"' && cell[1] >= '0' && cell[1] <= '9' {
		return cell[1 : len(cell)-1]
	}
	return cell
}
