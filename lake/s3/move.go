package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/kalamlake/kalam/lake"
)

// copyBytes is the most that one request copies: within its time limit.
const copyBytes = 256 << 20

// Move implements lake.Storage. The server copies: as a multipart upload of parts of the old
// object, since that can be ended on the condition that there is none at to. Then the
// old object is removed. A Move that stopped between the two is known by the metadata
// of the copy, and ends when it is called again.
func (s *Storage) Move(ctx context.Context, from, to string) error {
	if err := s.check(ctx, from, to); err != nil {
		return err
	}
	s.cache.drop(from)
	s.cache.drop(to)
	defer s.cache.drop(from)
	return s.explain(ctx, "move", from, s.move(ctx, from, to))
}

func (s *Storage) move(ctx context.Context, from, to string) error {
	old, err := s.stat(ctx, "move", from)
	if err != nil {
		return err
	}
	at, err := s.head(ctx, "move", to)
	if err == nil {
		if from == to || !movedFrom(at, from, old) {
			return lake.ErrExist
		}
		return s.remove(ctx, from)
	}
	if !notFound(err) {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return err
	}
	modified, err := s.modified(ctx, from, old)
	if err != nil {
		return err
	}
	u := &upload{path: to, id: newID(), size: old.Size}
	metadata := movedMetadata(old, from, u.id, modified)
	err = s.assemble(ctx, "move", u, metadata, func(ctx context.Context, id string) ([]minio.CompletePart, error) {
		return s.copyParts(ctx, old, from, to, id)
	})
	if err != nil {
		if !errors.Is(err, lake.ErrExist) {
			s.withdraw(ctx, to, u.id)
		}
		return err
	}
	return s.remove(ctx, from)
}

// movedMetadata returns the metadata of old after its move.
func movedMetadata(old minio.ObjectInfo, from, id string, modified time.Time) map[string]string {
	metadata := make(map[string]string)
	for k, v := range old.UserMetadata {
		if !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) { // Else no header can hold it.
			metadata[k] = v
		}
	}
	metadata[metaUpload] = id
	metadata[metaMovedFrom] = base64.RawURLEncoding.EncodeToString([]byte(from))
	metadata[metaMovedTag] = old.ETag
	metadata[metaModified] = modified.UTC().Format(time.RFC3339Nano)
	return metadata
}

// movedFrom reports whether at is the copy of old, which is at from, that a Move made.
func movedFrom(at minio.ObjectInfo, from string, old minio.ObjectInfo) bool {
	path, err := base64.RawURLEncoding.DecodeString(at.UserMetadata[metaMovedFrom])
	if err != nil || string(path) != from || at.Size != old.Size || at.UserMetadata[metaMovedTag] != old.ETag {
		return false
	}
	modified, err := time.Parse(time.RFC3339Nano, at.UserMetadata[metaModified])
	// Another object with the same content is none of ours. The protocol gives
	// seconds here, and a part of them in a listing.
	was := old.LastModified
	if at, ok := modifiedBefore(old); ok {
		was = at
	}
	return err == nil && modified.Sub(was).Abs() < time.Second && at.UserMetadata[metaSum] == old.UserMetadata[metaSum]
}

// modifiedBefore returns when a moved object was made.
func modifiedBefore(info minio.ObjectInfo) (time.Time, bool) {
	text, ok := info.UserMetadata[metaModified]
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}

// modified returns when the object at p was made, as a listing gives it.
func (s *Storage) modified(ctx context.Context, p string, info minio.ObjectInfo) (time.Time, error) {
	if at, ok := modifiedBefore(info); ok {
		return at, nil
	}
	at := info.LastModified
	err := s.once(ctx, "move", p, func(ctx context.Context) error {
		for found := range s.core.ListObjectsIter(ctx, s.opts.Bucket, minio.ListObjectsOptions{
			Prefix: s.key(p), Recursive: true, MaxKeys: 1,
		}) {
			if found.Err != nil {
				return found.Err
			}
			if found.Key == s.key(p) {
				at = found.LastModified
			}
			break // The first that begins with the key is the key itself.
		}
		return nil
	})
	return at, err
}

// copyParts has the server copy the object at from into the multipart upload id.
func (s *Storage) copyParts(
	ctx context.Context, old minio.ObjectInfo, from, to, id string,
) ([]minio.CompletePart, error) {
	if old.Size == 0 { // No range of it can be copied.
		var done minio.ObjectPart
		none := inMemory(to, nil)
		err := s.once(ctx, "move", from, func(ctx context.Context) (err error) {
			done, err = s.core.PutObjectPart(ctx, s.opts.Bucket, s.key(to), id, 1, strings.NewReader(""), 0,
				minio.PutObjectPartOptions{Md5Base64: none.md5, Sha256Hex: none.sum, DisableContentSha256: true})
			return err
		})
		return []minio.CompletePart{{PartNumber: 1, ETag: done.ETag}}, err
	}
	size := partBytes(old.Size, copyBytes)
	parts := make([]minio.CompletePart, (old.Size+size-1)/size)
	condition := map[string]string{"x-amz-copy-source-if-match": old.ETag}
	for i := range parts {
		start := int64(i) * size
		err := s.once(ctx, "move", from, func(ctx context.Context) (err error) {
			parts[i], err = s.core.CopyObjectPart(ctx, s.opts.Bucket, s.key(from), s.opts.Bucket, s.key(to), id, i+1,
				start, min(size, old.Size-start), condition)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}
