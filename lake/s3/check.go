package s3

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// Check implements lake.Storage. A server that ignores the condition of a write is not
// writable: ErrNoConditions. The sizes are unknown.
func (s *Storage) Check(ctx context.Context) lake.Health {
	h := lake.Probe(ctx, s, s.opts.Now(), func() error {
		return s.explain(ctx, "read", "the bucket", s.orNoBucket(ctx, "check", "", nil))
	})
	if !h.Writable {
		return h
	}
	start := time.Now()
	if err := s.ready(ctx); err != nil {
		h.Note(&h.Writable, s.explain(ctx, "write", layout.ProbeFolder, err))
	}
	h.Latency += time.Since(start)
	return h
}

// ready finds out, once, whether the server keeps to the condition that no object is
// overwritten: ErrNoConditions.
func (s *Storage) ready(ctx context.Context) error {
	if s.conditions.Load() {
		return nil
	}
	select {
	case s.probing <- struct{}{}:
		defer func() { <-s.probing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.conditions.Load() {
		return nil
	}
	p := layout.StagedName(layout.ProbeFolder + "/conditions")
	if err := s.replace(ctx, p, []byte("first")); err != nil {
		return err
	}
	err := s.tryConditions(ctx, p)
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if removed := s.remove(clean, p); err == nil {
		err = removed
	}
	if err == nil {
		s.conditions.Store(true)
	}
	return err
}

// tryConditions tries to overwrite the object at p in the two ways in which a server could
// let it happen.
func (s *Storage) tryConditions(ctx context.Context, p string) error {
	second := inMemory(p, []byte("second"))
	options := s.putOptions(nil)
	options.SetMatchETagExcept("*")
	err := s.once(ctx, "check", p, func(ctx context.Context) error {
		body := bytes.NewReader([]byte("second"))
		_, err := s.core.PutObject(ctx, s.opts.Bucket, s.key(p), body, second.size, second.md5, second.sum, options)
		return err
	})
	if err := refused(err); err != nil {
		return err
	}
	var id string
	err = s.once(ctx, "check", p, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.opts.Bucket, s.key(p), s.putOptions(nil))
		return err
	})
	if err != nil {
		return err
	}
	defer s.abort(ctx, p, id)
	var ending minio.PutObjectOptions
	ending.SetMatchETagExcept("*")
	err = s.once(ctx, "check", p, func(ctx context.Context) error {
		part, err := s.core.PutObjectPart(ctx, s.opts.Bucket, s.key(p), id, 1, bytes.NewReader([]byte("second")),
			second.size,
			minio.PutObjectPartOptions{Md5Base64: second.md5, Sha256Hex: second.sum, DisableContentSha256: true})
		if err != nil {
			return err
		}
		_, err = s.core.CompleteMultipartUpload(ctx, s.opts.Bucket, s.key(p), id,
			[]minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, ending)
		return err
	})
	return refused(err)
}

// refused returns nil when err says that the condition of a write does not hold, as it must.
func refused(err error) error {
	if taken(err) {
		return nil
	}
	if err == nil || statusOf(err) == http.StatusNotImplemented {
		return ErrNoConditions
	}
	return err
}
