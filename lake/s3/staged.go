package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// stagedObject is a local file that becomes an object.
type stagedObject struct {
	s    *Storage
	path string
	file string // Absolute.
	done atomic.Bool
}

// stagedDir returns the directory of staged objects.
func (s *Storage) stagedDir() string { return filepath.Join(s.opts.Dir, "drafts") }

// openStaged makes the directory of staged objects and removes what a crash left in it.
func (s *Storage) openStaged() error {
	err := makeDir(s.opts.Dir)
	if err == nil {
		err = os.RemoveAll(s.stagedDir())
	}
	if err == nil {
		err = makeDir(s.stagedDir())
	}
	if err != nil {
		return kalam.Wrap(kalam.CodeInvalidInput, err, "the directory of S3 storage %s cannot be used",
			s.opts.location())
	}
	return nil
}

// Create implements lake.Storage. The server is not asked.
func (s *Storage) Create(ctx context.Context, p string) (lake.Staged, error) {
	if err := s.check(ctx, p); err != nil {
		return nil, err
	}
	// A path may be longer than the name of a file.
	sum := sha256.Sum256([]byte(p))
	stem := filepath.Join(s.stagedDir(), hex.EncodeToString(sum[:8]))
	file := layout.StagedName(stem)
	for _, err := os.Lstat(file); err == nil; _, err = os.Lstat(file) {
		file = layout.StagedName(stem)
	}
	return &stagedObject{s: s, path: p, file: file}, nil
}

// Path implements lake.Staged.
func (d *stagedObject) Path() string { return d.path }

// LocalPath implements lake.Staged.
func (d *stagedObject) LocalPath() string { return d.file }

// Abort implements lake.Staged.
func (d *stagedObject) Abort() error {
	if d.done.Swap(true) {
		return nil
	}
	if err := os.Remove(d.file); err != nil && !isMissing(err) {
		return kalam.Wrap(kalam.CodeInternal, local(err), "remove the staged object of %s", d.path)
	}
	return nil
}
