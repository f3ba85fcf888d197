package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam/lake"
)

const (
	blockBytes = 128 << 10
	blocksKept = 2 // Of an open object: readers go from the end of a file to its parts.
)

// localObject is an object whose content is in the cache.
type localObject struct {
	file    *os.File
	path    string
	size    int64
	release func()
}

// Size implements lake.Object.
func (o *localObject) Size() int64 { return o.size }

// ReadAt implements lake.Object.
func (o *localObject) ReadAt(b []byte, off int64) (int, error) {
	n, err := o.file.ReadAt(b, off)
	if err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt promises the bare value
		err = fmt.Errorf("read %s: %w", o.path, lake.WithoutName(err))
	}
	return n, err
}

// Close implements lake.Object.
func (o *localObject) Close() error {
	err := o.file.Close()
	o.release()
	if err != nil {
		return fmt.Errorf("close %s: %w", o.path, lake.WithoutName(err))
	}
	return nil
}

// object is an object that is read from the server, in blocks; of those some are kept.
type object struct {
	s      *Storage
	path   string
	etag   string
	size   int64
	ctx    context.Context // Until Close.
	cancel context.CancelFunc

	mu     sync.Mutex // guards blocks
	blocks []block    // The one used last is the first.
}

type block struct {
	start int64
	data  []byte
}

// Open implements lake.Storage. What is cached is read from there. Otherwise every read
// asks the server for a range, of no less than a block, on the condition that the object
// is still the one that was opened; ctx limits Open, not the reads after it.
func (s *Storage) Open(ctx context.Context, p string) (lake.Object, error) {
	if err := s.check(ctx, p); err != nil {
		return nil, err
	}
	if o, ok := s.OpenCached(p); ok {
		return o, nil
	}
	info, err := s.stat(ctx, "open", p)
	if err != nil {
		return nil, s.explain(ctx, "open", p, err)
	}
	o := &object{s: s, path: p, etag: info.ETag, size: info.Size}
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return o, nil
}

// Cached lends the file of a cached object, as LocalPath does, if that can be done without asking
// the server: of an object that Commit made.
func (s *Storage) Cached(p string) (name string, release func(), ok bool) { return s.cache.lend(p, "") }

// OpenCached opens the file that Cached lends.
func (s *Storage) OpenCached(p string) (lake.Object, bool) {
	name, release, ok := s.cache.lend(p, "")
	if !ok {
		return nil, false
	}
	o, err := openLocal(p, name, release)
	if err != nil {
		release()
		return nil, false
	}
	return o, true
}

func openLocal(p, name string, release func()) (*localObject, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &localObject{file: f, path: p, size: info.Size(), release: release}, nil
}

// Size implements lake.Object.
func (o *object) Size() int64 { return o.size }

// Close implements lake.Object.
func (o *object) Close() error { o.cancel(); return nil }

// ReadAt implements lake.Object.
func (o *object) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: negative offset", o.path)
	}
	want := b[:max(0, min(int64(len(b)), o.size-off))]
	for n < len(want) {
		at := off + int64(n)
		if rest := want[n:]; len(rest) >= blockBytes {
			err = o.s.readRange(o.ctx, o.path, o.etag, at, rest)
			if err == nil {
				n += len(rest)
			}
		} else {
			var got block
			if got, err = o.block(at - at%blockBytes); err == nil {
				n += copy(rest, got.data[at-got.start:])
			}
		}
		if err != nil {
			return n, o.s.explain(o.ctx, "read", o.path, err)
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// block returns the block that begins at start.
func (o *object) block(start int64) (block, error) {
	o.mu.Lock()
	for i, b := range o.blocks {
		if b.start == start {
			o.blocks[0], o.blocks[i] = b, o.blocks[0]
			o.mu.Unlock()
			return b, nil
		}
	}
	o.mu.Unlock()
	b := block{start, make([]byte, min(blockBytes, o.size-start))}
	if err := o.s.readRange(o.ctx, o.path, o.etag, start, b.data); err != nil {
		return block{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blocks = append([]block{b}, o.blocks[:min(len(o.blocks), blocksKept-1)]...)
	return b, nil
}

// readRange fills b from offset off of the object at p, if that still has the ETag.
func (s *Storage) readRange(ctx context.Context, p, etag string, off int64, b []byte) error {
	got := 0
	return s.try(ctx, "read", p, func(ctx context.Context, progress *bool) error {
		body, err := s.get(ctx, p, etag, off+int64(got), int64(len(b)-got))
		if err != nil {
			return err
		}
		defer body.Close()
		n, err := io.ReadFull(body, b[got:])
		got += n
		*progress = n > 0
		return err
	})
}

// get asks for n bytes from offset off of the object at p, if that still has the ETag. A
// body that ends early gives io.ErrUnexpectedEOF.
func (s *Storage) get(ctx context.Context, p, etag string, off, n int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if err := options.SetRange(off, off+n-1); err != nil {
		return nil, err
	}
	if etag != "" {
		if err := options.SetMatchETag(etag); err != nil {
			return nil, err
		}
	}
	body, info, header, err := s.core.GetObject(ctx, s.opts.Bucket, s.key(p), options)
	if err = s.plain(err); taken(err) {
		return nil, errReplaced
	}
	if err != nil {
		return nil, err
	}
	whole := off == 0 && header.Get("Content-Range") == ""
	if info.Size != n || !whole && !strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", off)) {
		_ = body.Close() // Nothing was read.
		return nil, &failure{code: "WrongRange", status: 200,
			text: fmt.Sprintf("the storage sent %d bytes where %d from %d on were asked for", info.Size, n, off)}
	}
	return body, nil
}

// errReplaced means that an object is not any more the one that was opened.
var errReplaced = fmt.Errorf("the object was replaced meanwhile: %w", lake.ErrNotExist)
