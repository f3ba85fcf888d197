package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // The protocol's Content-MD5.
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/lake"
)

// The metadata of our objects, as the protocol returns their names.
const (
	metaSum       = "Kalam-Sha256"     // Of the content, hexadecimal.
	metaUpload    = "Kalam-Upload"     // Random: which upload made the object.
	metaFixed     = "Kalam-Fixed"      // "true": made by Commit, never to be replaced.
	metaModified  = "Kalam-Modified"   // Of a moved object: when it was made.
	metaMovedFrom = "Kalam-Moved-From" // Of a moved object: where from, base64.
	metaMovedTag  = "Kalam-Moved-Etag" // Of a moved object: the ETag that it had there.
)

// cleanupTime limits what is done to leave nothing behind, also when ctx has ended.
const cleanupTime = 30 * time.Second

// upload is content on its way to become an object.
type upload struct {
	path string
	open func() (io.ReadSeekCloser, error)
	size int64
	sum  string // SHA-256, hexadecimal.
	md5  string // Base64.
	id   string
	etag string // Once it is an object.
}

// newID returns a name that no other upload has.
func newID() string { return rand.Text() }

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

// measure sets size and checksums from content.
func (u *upload) measure(ctx context.Context, content io.Reader) error {
	sum, sum5 := sha256.New(), md5.New() //nolint:gosec // See the import.
	var err error
	u.size, err = io.Copy(io.MultiWriter(sum, sum5), &endingReader{ctx, content})
	u.sum = hex.EncodeToString(sum.Sum(nil))
	u.md5 = base64.StdEncoding.EncodeToString(sum5.Sum(nil))
	return err
}

// endingReader ends with ctx.
type endingReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r *endingReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// metadata returns what is noted of an object made by u.
func (u *upload) metadata(fixed bool) map[string]string {
	m := map[string]string{metaSum: u.sum, metaUpload: u.id}
	if fixed {
		m[metaFixed] = "true"
	}
	return m
}

// putOptions returns the options of a request that begins an object. The checksum of the
// body is in its signature, not in a signature of each piece: those have no place for it.
func (s *Storage) putOptions(metadata map[string]string) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		UserMetadata:         maps.Clone(metadata),
		ServerSideEncryption: s.encryption,
		DisableContentSha256: true,
	}
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

// put uploads u with one request. The server compares what it received with the checksums.
func (s *Storage) put(ctx context.Context, verb string, u *upload, options minio.PutObjectOptions) error {
	f, err := u.open()
	if err != nil {
		return local(err)
	}
	defer f.Close()
	return s.once(ctx, verb, u.path, func(ctx context.Context) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return local(err)
		}
		body := struct{ io.ReadSeeker }{f} // The client closes what it can.
		done, err := s.core.PutObject(ctx, s.opts.Bucket, s.key(u.path), body, u.size, u.md5, u.sum, options)
		u.etag = done.ETag
		if err = s.plain(err); taken(err) {
			return s.orMine(ctx, u)
		}
		return err
	})
}

// orMine returns nil when the object at u's path is the one that u made, in a request
// whose answer got lost, and lake.ErrExist otherwise.
func (s *Storage) orMine(ctx context.Context, u *upload) error {
	info, err := s.core.StatObject(ctx, s.opts.Bucket, s.key(u.path), minio.StatObjectOptions{})
	err = s.plain(err)
	switch {
	case notFound(err): // It was removed meanwhile: the condition decides anew.
		return &failure{code: "OperationAborted", status: http.StatusConflict}
	case err != nil:
		return err
	case info.UserMetadata[metaUpload] != u.id:
		return lake.ErrExist
	}
	u.etag = info.ETag
	return nil
}

// withdraw removes the object at p if the upload id made it: a request that seems to have
// failed may have been carried out.
func (s *Storage) withdraw(ctx context.Context, p, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	info, err := s.core.StatObject(ctx, s.opts.Bucket, s.key(p), minio.StatObjectOptions{})
	if err == nil && info.UserMetadata[metaUpload] == id {
		err = s.remove(ctx, p)
	}
	if err = s.plain(err); err != nil && !notFound(err) {
		s.opts.Logger.WarnContext(ctx, "an object of a failed upload may stay as an orphan",
			"path", p, "err", err.Error())
	}
}

// inMemory returns the upload of content.
func inMemory(p string, content []byte) *upload {
	sum, sum5 := sha256.Sum256(content), md5.Sum(content) //nolint:gosec // See the import.
	return &upload{
		path: p,
		open: func() (io.ReadSeekCloser, error) { return memoryFile{bytes.NewReader(content)}, nil },
		size: int64(len(content)),
		sum:  hex.EncodeToString(sum[:]),
		md5:  base64.StdEncoding.EncodeToString(sum5[:]),
		id:   newID(),
	}
}

// memoryFile is content to be read like a file.
type memoryFile struct{ *bytes.Reader }

// Close implements io.Closer.
func (memoryFile) Close() error { return nil }

// replace uploads content, whether or not there is an object.
func (s *Storage) replace(ctx context.Context, p string, content []byte) error {
	u := inMemory(p, content)
	return s.put(ctx, "replace", u, s.putOptions(u.metadata(false)))
}
