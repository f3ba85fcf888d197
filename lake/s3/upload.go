package s3

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // The protocol's Content-MD5.
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam/lake"
)

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

// The metadata of our objects, as the protocol returns their names.
const (
	metaSum       = "Kalam-Sha256"     // Of the content, hexadecimal.
	metaUpload    = "Kalam-Upload"     // Random: which upload made the object.
	metaFixed     = "Kalam-Fixed"      // "true": made by Commit, never to be replaced.
	metaModified  = "Kalam-Modified"   // Of a moved object: when it was made.
	metaMovedFrom = "Kalam-Moved-From" // Of a moved object: where from, base64.
	metaMovedTag  = "Kalam-Moved-Etag" // Of a moved object: the ETag that it had there.
)

// measure sets size and checksums from content.
func (u *upload) measure(ctx context.Context, content io.Reader) error {
	sum, sum5 := sha256.New(), md5.New() //nolint:gosec // See the import.
	var err error
	u.size, err = io.Copy(io.MultiWriter(sum, sum5), &endingReader{ctx, content})
	u.sum = hex.EncodeToString(sum.Sum(nil))
	u.md5 = base64.StdEncoding.EncodeToString(sum5.Sum(nil))
	return err
}

// metadata returns what is noted of an object made by u.
func (u *upload) metadata(fixed bool) map[string]string {
	m := map[string]string{metaSum: u.sum, metaUpload: u.id}
	if fixed {
		m[metaFixed] = "true"
	}
	return m
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

// putOptions returns the options of a request that begins an object. The checksum of the
// body is in its signature, not in a signature of each piece: those have no place for it.
func (s *Storage) putOptions(metadata map[string]string) minio.PutObjectOptions {
	return minio.PutObjectOptions{
		UserMetadata:         maps.Clone(metadata),
		ServerSideEncryption: s.encryption,
		DisableContentSha256: true,
	}
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

// cleanupTime limits what is done to leave nothing behind, also when ctx has ended.
const cleanupTime = 10 * time.Second

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

// replace uploads content, whether or not there is an object.
func (s *Storage) replace(ctx context.Context, p string, content []byte) error {
	u := inMemory(p, content)
	return s.put(ctx, "replace", u, s.putOptions(u.metadata(false)))
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

// newID returns a name that no other upload has.
func newID() string { return rand.Text() }
