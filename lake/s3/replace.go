package s3

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/lake"
)

// Replace implements lake.Storage.
func (s *Storage) Replace(ctx context.Context, p string, content []byte) error {
	if err := s.check(ctx, p); err != nil {
		return err
	}
	s.cache.drop(p)
	// A download of the old content may end meanwhile; it is known by its ETag.
	defer s.cache.drop(p)
	return s.explain(ctx, "replace", p, s.replace(ctx, p, content))
}

// ReplaceAll implements lake.BatchReplacer.
func (s *Storage) ReplaceAll(ctx context.Context, objects []lake.Content) error {
	for _, o := range objects {
		if err := s.check(ctx, o.Path); err != nil {
			return err
		}
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, o := range objects {
		work.Go(func() error { return s.Replace(ctx, o.Path, o.Bytes) })
	}
	return work.Wait()
}

// Remove implements lake.Storage. There are no folders to remove.
func (s *Storage) Remove(ctx context.Context, p string) error {
	if err := s.check(ctx, p); err != nil {
		return err
	}
	s.cache.drop(p)
	defer s.cache.drop(p)
	return s.explain(ctx, "remove", p, s.remove(ctx, p))
}
