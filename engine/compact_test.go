package engine_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// compact compacts every table and waits for the jobs. Afterwards no scope may
// have two segments.
func (s *server) compact() {
	s.t.Helper()
	before := s.segments()
	for _, id := range s.must(root, "STORAGE COMPACT ALL").jobs {
		j := s.await(id)
		if j.Status != kalam.JobCompleted && j.Status != kalam.JobSkipped {
			s.t.Fatalf("job %s is %s: %s", id, j.Status, j.Error)
		}
		if j.Status == kalam.JobCompleted && !strings.HasPrefix(j.Message, "Compaction completed for table ") {
			s.t.Fatalf("job %s says %q", id, j.Message)
		}
	}
	for path, n := range s.segments() {
		if n > 1 {
			s.t.Fatalf("%s names %d segments after a compaction", path, n)
		}
		s.merged += max(0, before[path]-n)
	}
}

// segments returns how many segments each manifest.json names, by its path.
func (s *server) segments() map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, path := range s.files("manifest.json") {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // Its table was dropped.
			continue
		}
		if err != nil {
			s.t.Fatal(err)
		}
		var m struct {
			Segments []json.RawMessage `json:"segments"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			s.t.Fatalf("%s: %v", path, err)
		}
		out[path] = len(m.Segments)
	}
	return out
}

// files returns the files of the lake whose names end in suffix.
func (s *server) files(suffix string) (out []string) {
	s.t.Helper()
	err := filepath.WalkDir(s.config.StoragePath(), func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !d.IsDir() && strings.HasSuffix(p, suffix) {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// compactTable compacts one table and returns the job and its result.
func (s *server) compactTable(name string) (kalam.Job, jobs.CompactResult) {
	s.t.Helper()
	j := s.await(s.must(root, "STORAGE COMPACT TABLE " + name).jobs[0])
	var r jobs.CompactResult
	if err := json.Unmarshal([]byte(j.Result), &r); err != nil {
		s.t.Fatalf("result of %s is %q: %v", j.ID, j.Result, err)
	}
	return j, r
}
