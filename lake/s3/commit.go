package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/lake"
)

// Commit implements lake.Storage.
func (s *Storage) Commit(ctx context.Context, staged ...lake.Staged) error {
	own := make([]*stagedObject, len(staged))
	for i, d := range staged {
		f, ok := d.(*stagedObject)
		if !ok || f.s != s || f.done.Load() {
			return notOwn(d)
		}
		own[i] = f
	}
	uploads := make([]*upload, 0, len(own))
	published := 0
	err := func() error {
		for _, d := range own {
			u, err := s.prepare(ctx, d)
			if err != nil {
				return s.explain(ctx, "commit", d.path, err)
			}
			uploads = append(uploads, u)
		}
		for _, u := range uploads {
			if err := s.publish(ctx, u); err != nil {
				return s.explain(ctx, "commit", u.path, err)
			}
			published++
		}
		return nil
	}()
	if err != nil {
		s.takeBack(ctx, uploads[:published])
	}
	for i, d := range own {
		if err == nil {
			s.cache.adopt(d.path, uploads[i].etag, uploads[i].sum, uploads[i].size, d.file)
		}
		_ = d.Abort() // The first error tells more; the next Open removes the file.
	}
	return err
}

// takeBack removes objects that this commit made.
func (s *Storage) takeBack(ctx context.Context, uploads []*upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var work errgroup.Group
	work.SetLimit(parallel)
	for _, u := range uploads {
		work.Go(func() error {
			if err := s.remove(ctx, u.path); err != nil {
				s.opts.Logger.WarnContext(ctx, "an object of a failed commit stays as an orphan",
					"path", u.path, "err", err.Error())
			}
			return nil
		})
	}
	_ = work.Wait() // No error is returned to it.
}

// prepare computes the checksums of a staged object.
func (s *Storage) prepare(ctx context.Context, d *stagedObject) (*upload, error) {
	u := &upload{path: d.path, id: newID(), open: func() (io.ReadSeekCloser, error) { return os.Open(d.file) }}
	f, err := u.open()
	if isMissing(err) {
		return nil, fmt.Errorf("there is no file: %w", lake.ErrNotExist)
	}
	if err != nil {
		return nil, local(err)
	}
	defer f.Close()
	err = u.measure(ctx, f)
	return u, local(err)
}

// publish makes u an object: lake.ErrExist when there is one. After another error there
// is none, as far as the server answers.
func (s *Storage) publish(ctx context.Context, u *upload) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	var err error
	if u.size > s.opts.PartBytes {
		err = s.publishParts(ctx, u)
	} else {
		options := s.putOptions(u.metadata(true))
		options.SetMatchETagExcept("*")
		err = s.put(ctx, "commit", u, options)
	}
	if err != nil && !errors.Is(err, lake.ErrExist) {
		s.withdraw(ctx, u.path, u.id)
	}
	return err
}
