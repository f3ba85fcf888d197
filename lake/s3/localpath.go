package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam"
)

const (
	copyBuffer = 128 << 10
	// replacedTries is how often an object is asked for again that was replaced during
	// its download.
	replacedTries = 10
)

// LocalPath implements lake.Storage. The file is one of the cache. CodeResourceExhausted
// means that the object does not fit in beside the files that are lent.
func (s *Storage) LocalPath(ctx context.Context, p string) (string, func(), error) {
	if err := s.check(ctx, p); err != nil {
		return "", nil, err
	}
	if name, release, ok := s.cache.lend(p, ""); ok {
		return name, release, nil
	}
	for tries := 0; ; tries++ {
		info, err := s.stat(ctx, "open", p)
		if err != nil {
			return "", nil, s.explain(ctx, "open", p, err)
		}
		if name, release, ok := s.cache.lend(p, info.ETag); ok {
			return name, release, nil
		}
		err = s.fetch(ctx, p, info)
		if err == nil {
			if name, release, ok := s.cache.lend(p, info.ETag); ok {
				return name, release, nil
			}
			continue // Another download drove it out before it could be lent.
		}
		if !errors.Is(err, errReplaced) || tries >= replacedTries {
			return "", nil, s.explain(ctx, "open", p, err)
		}
	}
}

// fetch waits until the object at p was downloaded into the cache, by a download that all
// who ask for it share. It goes on until the last of them has gone.
func (s *Storage) fetch(ctx context.Context, p string, info minio.ObjectInfo) error {
	c, name := s.cache, s.cache.idOf(p)+nameSep+tagOf(info.ETag)
	c.mu.Lock()
	f := c.flights[name]
	if f == nil {
		work, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{id: c.idOf(p), done: make(chan struct{}), cancel: cancel}
		c.flights[name] = f
		s.downloads.Go(func() {
			err := s.download(work, p, info, f)
			c.mu.Lock()
			if c.flights[name] == f {
				delete(c.flights, name)
			}
			f.err = err
			c.mu.Unlock()
			cancel()
			close(f.done)
		})
	}
	f.waiting++
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		c.mu.Lock()
		f.waiting--
		last := f.waiting == 0
		f.stale = f.stale || last
		if last && c.flights[name] == f {
			delete(c.flights, name) // Who comes now begins anew.
		}
		c.mu.Unlock()
		if last {
			f.cancel()
		}
		return ctx.Err()
	}
}

// download makes the object at p a file of the cache. A content with a wrong checksum is
// asked for once more.
func (s *Storage) download(ctx context.Context, p string, info minio.ObjectInfo, f *flight) error {
	if err := s.cache.reserve(info.Size); err != nil {
		return err
	}
	err := s.downloadInto(ctx, p, info, f)
	if errors.Is(err, errWrongSum) {
		s.opts.Logger.WarnContext(ctx, "a download had a wrong checksum and is repeated", "path", p)
		err = s.downloadInto(ctx, p, info, f)
	}
	if errors.Is(err, errWrongSum) {
		err = kalam.Wrap(kalam.CodeCorrupt, err, "%s is damaged in the storage", p)
	}
	if err != nil {
		s.cache.unreserve(info.Size)
	}
	return err
}

func (s *Storage) downloadInto(ctx context.Context, p string, info minio.ObjectInfo, in *flight) (err error) {
	n := cachedName{
		id: s.cache.idOf(p), etag: tagOf(info.ETag), size: info.Size,
		sum: info.UserMetadata[metaSum], fixed: info.UserMetadata[metaFixed] == "true",
	}
	f, err := os.CreateTemp(s.cache.dir, "*"+partialName)
	if err != nil {
		return local(err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // The next start removes it.
		}
	}()
	sum, err := s.copyTo(ctx, f, p, info)
	if closed := f.Close(); err == nil {
		err = local(closed)
	}
	if err != nil {
		return err
	}
	if n.sum != "" && n.sum != sum {
		return errWrongSum
	}
	n.sum = sum // Of an object that another program made it is only known now.
	file := filepath.Join(s.cache.dir, n.text())
	if err := os.Rename(f.Name(), file); err != nil {
		return local(err)
	}
	if !s.cache.add(&entry{cachedName: n, file: file, checked: true, touched: s.opts.Now()}, in) {
		_ = os.Remove(file) // The next start finds it, and its checks are those of any file.
		return errReplaced
	}
	return nil
}

// copyTo writes the object at p to f and returns its SHA-256. A download that breaks goes on
// where it broke.
func (s *Storage) copyTo(ctx context.Context, f io.Writer, p string, info minio.ObjectInfo) (string, error) {
	sum := sha256.New()
	var got int64
	if info.Size > 0 {
		err := s.try(ctx, "download", p, func(ctx context.Context, progress *bool) error {
			body, err := s.get(ctx, p, info.ETag, got, info.Size-got)
			if err != nil {
				return err
			}
			defer body.Close()
			n, err := copyBody(f, sum, body)
			got += n
			*progress = n > 0
			if err == nil && got < info.Size {
				err = io.ErrUnexpectedEOF
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// copyBody copies body to f and sum. It returns how many bytes both got, and tells an
// error of f from one of the network.
func copyBody(f io.Writer, sum hash.Hash, body io.Reader) (n int64, err error) {
	buffer := make([]byte, copyBuffer)
	for {
		got, err := body.Read(buffer)
		if got > 0 {
			if _, failed := f.Write(buffer[:got]); failed != nil {
				return n, local(failed)
			}
			sum.Write(buffer[:got]) // never fails
			n += int64(got)
		}
		if err == io.EOF { //nolint:errorlint // io.Reader promises the bare value
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
