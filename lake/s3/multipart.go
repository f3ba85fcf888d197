package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // The protocol's Content-MD5.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
)

// partsAtOnce is how many parts of one object are uploaded at a time.
const partsAtOnce = 4

// partBytes returns the size of the parts of size bytes: the option, or as much more as
// the protocol's number of parts asks for.
func partBytes(size, option int64) int64 { return max(option, (size+maxParts-1)/maxParts) }

// publishParts makes u an object by a multipart upload, which no one sees before its end.
func (s *Storage) publishParts(ctx context.Context, u *upload) error {
	fill := func(ctx context.Context, id string) ([]minio.CompletePart, error) { return s.uploadParts(ctx, u, id) }
	return s.assemble(ctx, "commit", u, u.metadata(true), fill)
}

// assemble makes u an object of the parts that fill puts into a new multipart upload, on
// the condition that there is none: lake.ErrExist. On any error the upload is aborted.
func (s *Storage) assemble(ctx context.Context, verb string, u *upload, metadata map[string]string,
	fill func(ctx context.Context, id string) ([]minio.CompletePart, error),
) error {
	var id string
	err := s.once(ctx, verb, u.path, func(ctx context.Context) (err error) {
		id, err = s.core.NewMultipartUpload(ctx, s.opts.Bucket, s.key(u.path), s.putOptions(metadata))
		return err
	})
	if err != nil {
		return err
	}
	parts, err := fill(ctx, id)
	if err == nil {
		err = s.complete(ctx, verb, u, id, parts)
	}
	if err != nil {
		s.abort(ctx, u.path, id)
		return err
	}
	return s.verify(ctx, verb, u, metadata[metaSum])
}

// complete ends the multipart upload id.
func (s *Storage) complete(ctx context.Context, verb string, u *upload, id string, parts []minio.CompletePart) error {
	var options minio.PutObjectOptions
	options.SetMatchETagExcept("*")
	return s.once(ctx, verb, u.path, func(ctx context.Context) error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.opts.Bucket, s.key(u.path), id, parts, options)
		if err = s.plain(err); taken(err) {
			return s.orMine(ctx, u)
		}
		if noUpload(err) { // It ended already, in a request whose answer got lost, or was aborted.
			if mine := s.orMine(ctx, u); mine == nil {
				return nil
			}
			return &failure{code: "NoSuchUpload", status: 410, text: "the multipart upload was aborted"}
		}
		return err
	})
}

// verify compares the object that u became with what was sent: a multipart upload has
// checksums of its parts only.
func (s *Storage) verify(ctx context.Context, verb string, u *upload, sum string) error {
	info, err := s.stat(ctx, verb, u.path)
	if err != nil {
		return err
	}
	if info.UserMetadata[metaUpload] != u.id || info.Size != u.size || info.UserMetadata[metaSum] != sum {
		return kalam.Errorf(kalam.CodeCorrupt, "%s %s: the storage holds %d bytes, not the %d that were sent",
			verb, u.path, info.Size, u.size)
	}
	u.etag = info.ETag
	return nil
}

// abort ends the multipart upload id without an object, also when ctx has ended.
func (s *Storage) abort(ctx context.Context, p, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	err := s.once(ctx, "abort", p, func(ctx context.Context) error {
		return s.core.AbortMultipartUpload(ctx, s.opts.Bucket, s.key(p), id)
	})
	if err != nil && !notFound(err) {
		s.opts.Logger.WarnContext(ctx, "a multipart upload stays; AbortUploads removes it", "path", p, "err",
			err.Error())
	}
}

// uploadParts uploads the file of u in parts.
func (s *Storage) uploadParts(ctx context.Context, u *upload, id string) ([]minio.CompletePart, error) {
	f, err := u.open()
	if err != nil {
		return nil, local(err)
	}
	defer f.Close()
	file, ok := f.(*os.File)
	if !ok {
		return nil, kalam.Errorf(kalam.CodeInternal, "commit %s: not a file", u.path)
	}
	size := partBytes(u.size, s.opts.PartBytes)
	parts := make([]minio.CompletePart, (u.size+size-1)/size)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(partsAtOnce)
	for i := range parts {
		start := int64(i) * size
		part := io.NewSectionReader(file, start, min(size, u.size-start))
		work.Go(func() error {
			done, err := s.uploadPart(ctx, u.path, id, i+1, part)
			parts[i] = done
			return err
		})
	}
	return parts, work.Wait()
}

// uploadPart uploads one part. The server compares it with its checksums.
func (s *Storage) uploadPart(
	ctx context.Context, p, id string, number int, part *io.SectionReader,
) (minio.CompletePart, error) {
	sum, sum5 := sha256.New(), md5.New() //nolint:gosec // See the import.
	if _, err := io.Copy(io.MultiWriter(sum, sum5), &endingReader{ctx, part}); err != nil {
		return minio.CompletePart{}, local(err)
	}
	options := minio.PutObjectPartOptions{
		Md5Base64: base64.StdEncoding.EncodeToString(sum5.Sum(nil)),
		Sha256Hex: hex.EncodeToString(sum.Sum(nil)),

		DisableContentSha256: true, // See putOptions.
	}
	var done minio.ObjectPart
	err := s.once(ctx, "commit", p, func(ctx context.Context) (err error) {
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return local(err)
		}
		done, err = s.core.PutObjectPart(ctx, s.opts.Bucket, s.key(p), id, number, part, part.Size(), options)
		return err
	})
	return minio.CompletePart{PartNumber: number, ETag: done.ETag}, err
}

// Upload is a multipart upload that was begun and not ended.
type Upload struct {
	Path    string
	ID      string
	Started time.Time
}

// Uploads calls visit for every multipart upload below the prefix that was not ended: by a
// commit that is under way, or by a crash. It stops at visit's first error.
func (s *Storage) Uploads(ctx context.Context, visit func(Upload) error) error {
	key, id := "", ""
	for {
		var page minio.ListMultipartUploadsResult
		err := s.once(ctx, "list uploads", "", func(ctx context.Context) (err error) {
			page, err = s.core.ListMultipartUploads(ctx, s.opts.Bucket, s.root, key, id, "", 1000)
			return err
		})
		if err != nil {
			return s.explain(ctx, "list uploads of", s.opts.location(), err)
		}
		for _, u := range page.Uploads {
			p := s.pathOf(u.Key)
			if p == "" {
				continue
			}
			if err := visit(Upload{Path: p, ID: u.UploadID, Started: u.Initiated}); err != nil {
				return err
			}
		}
		if !page.IsTruncated || page.NextKeyMarker == key && page.NextUploadIDMarker == id {
			return nil
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}

// AbortUploads ends the multipart uploads below the prefix that began before a time, and
// returns their number. An hour or more ago is before any that is still under way.
func (s *Storage) AbortUploads(ctx context.Context, before time.Time) (int, error) {
	var old []Upload
	err := s.Uploads(ctx, func(u Upload) error {
		if u.Started.Before(before) {
			old = append(old, u)
		}
		return nil
	})
	n := 0
	for _, u := range old {
		failed := s.once(ctx, "abort", u.Path, func(ctx context.Context) error {
			return s.core.AbortMultipartUpload(ctx, s.opts.Bucket, s.key(u.Path), u.ID)
		})
		if failed != nil && !notFound(failed) {
			err = errors.Join(err, s.explain(ctx, "abort the upload of", u.Path, failed))
			continue
		}
		n++
	}
	return n, err
}
