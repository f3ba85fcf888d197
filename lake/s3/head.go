package s3

import (
	"context"
	"net/http"

	"github.com/minio/minio-go/v7"
)

func (s *Storage) remove(ctx context.Context, p string) error {
	err := s.once(ctx, "remove", p, func(ctx context.Context) error {
		return s.core.RemoveObject(ctx, s.opts.Bucket, s.key(p), minio.RemoveObjectOptions{})
	})
	if notFound(err) {
		return nil
	}
	return err
}

// stat asks for the object at p.
func (s *Storage) stat(ctx context.Context, verb, p string) (minio.ObjectInfo, error) {
	info, err := s.head(ctx, verb, p)
	if notFound(err) {
		err = s.orNoBucket(ctx, verb, p, err)
	}
	return info, err
}

// head is stat for when the bucket is known to exist.
func (s *Storage) head(ctx context.Context, verb, p string) (info minio.ObjectInfo, err error) {
	err = s.once(ctx, verb, p, func(ctx context.Context) (err error) {
		info, err = s.core.StatObject(ctx, s.opts.Bucket, s.key(p), minio.StatObjectOptions{})
		return err
	})
	return info, err
}

// orNoBucket returns missing, the answer that an object does not exist, unless it is the
// bucket that does not: the answer to a HEAD does not tell.
func (s *Storage) orNoBucket(ctx context.Context, verb, p string, missing error) error {
	exists := true
	err := s.once(ctx, verb, p, func(ctx context.Context) (err error) {
		exists, err = s.core.BucketExists(ctx, s.opts.Bucket)
		return err
	})
	switch {
	case statusOf(err) == http.StatusForbidden: // It may not be asked for, so it is there.
		return missing
	case err != nil:
		return err
	case !exists:
		return &failure{code: minio.NoSuchBucket, status: http.StatusNotFound}
	}
	return missing
}
