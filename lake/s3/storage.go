package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"
	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// parallel is how many requests one operation has under way at a time.
	parallel = 8
)

// Storage keeps objects in a bucket. It implements lake.Storage.
type Storage struct {
	opts       Options
	core       minio.Core
	transport  *http.Transport
	encryption encrypt.ServerSide
	root       string // What all keys begin with: "" or a text that ends with '/'.
	cache      *cache

	downloads  sync.WaitGroup // Downloads into the cache.
	probing    chan struct{}  // Held while conditions are tried out.
	conditions atomic.Bool    // The server is known to keep to conditions.
}

var (
	_ lake.Storage       = (*Storage)(nil)
	_ lake.BatchReplacer = (*Storage)(nil)
)

// Open returns the storage that o describes. It creates o.Dir, removes staged objects that a crash
// left there and takes over its cache; the server is not asked. Close releases it.
func Open(o Options) (*Storage, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Storage{opts: o, probing: make(chan struct{}, 1)}
	if o.Prefix != "" {
		s.root = o.Prefix + "/"
	}
	if s.encryption, err = o.encryption(); err != nil {
		return nil, invalid("kms_key_id", "%s", lower(err))
	}
	if s.core, s.transport, err = newClient(o); err != nil {
		return nil, err
	}
	if err := s.openStaged(); err != nil {
		return nil, err
	}
	place := s.core.EndpointURL().Host + " " + o.location()
	s.cache, err = openCache(filepath.Join(o.Dir, "cache"), place, o.CacheBytes, o.Now)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "the directory of S3 storage %s cannot be used",
			o.location())
	}
	return s, nil
}

// Close waits for downloads and releases connections. Lent files and open objects are
// released before. The cache stays for the next Open.
func (s *Storage) Close() error {
	s.downloads.Wait()
	s.transport.CloseIdleConnections()
	return nil
}

// String returns the URI.
func (s *Storage) String() string { return s.opts.location() }

// Properties implements lake.Storage.
func (s *Storage) Properties() lake.Properties {
	return lake.Properties{Kind: "s3", Location: s.opts.location()}
}

// key returns the name in the bucket of the object at p.
func (s *Storage) key(p string) string { return s.root + p }

// check reports why nothing can be done with paths now.
func (s *Storage) check(ctx context.Context, paths ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, p := range paths {
		if err := layout.CheckPath(p); err != nil {
			return err
		}
		if n := len(s.key(p)); n > maxKeyBytes {
			return kalam.Errorf(kalam.CodeInvalidInput, "the path %.100q... makes a key of %d bytes (maximum %d)",
				p, n, maxKeyBytes)
		}
		if !utf8.ValidString(p) {
			return kalam.Errorf(kalam.CodeInvalidInput, "the path %q is not UTF-8", p)
		}
	}
	return nil
}

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

// makeDir creates a directory that only this user may enter.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	return os.Chmod(dir, folderMode)
}

// notOwn is the error for a staged object that is not one of an open storage's.
func notOwn(d lake.Staged) error {
	return fmt.Errorf("commit %s: not an open staged object of this storage", d.Path())
}

// isMissing reports whether an error of the file system says that there is no file.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// pathOf returns the path of the object with the key, "" for a key that no path has.
func (s *Storage) pathOf(key string) string {
	p, ok := strings.CutPrefix(key, s.root)
	if !ok || layout.CheckPath(p) != nil {
		return ""
	}
	return p
}
