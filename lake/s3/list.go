package s3

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/lake"
)

const pageKeys = 1000 // The protocol's most.

// List implements lake.Storage, in the order of the bytes of the paths. Staged objects are local
// and not among them; nor are keys that no path has.
func (s *Storage) List(ctx context.Context, prefix string, visit func(lake.Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	below := s.root
	if prefix != "" {
		if err := s.check(ctx, prefix); err != nil {
			return err
		}
		below += prefix + "/"
	}
	after := ""
	for more := true; more; {
		var page []minio.ObjectInfo
		err := s.once(ctx, "list", prefix, func(ctx context.Context) (err error) {
			page, more, err = s.page(ctx, below, after)
			return err
		})
		if err != nil {
			return s.explain(ctx, "list", folderName(prefix), err)
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].Key
		entries, err := s.entries(ctx, page)
		if err != nil {
			return s.explain(ctx, "list", folderName(prefix), err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// page returns the next objects whose key begins with below, and whether more may follow.
func (s *Storage) page(ctx context.Context, below, after string) ([]minio.ObjectInfo, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	page := make([]minio.ObjectInfo, 0, pageKeys)
	for found := range s.core.ListObjectsIter(ctx, s.opts.Bucket, minio.ListObjectsOptions{
		Prefix: below, Recursive: true, MaxKeys: pageKeys, StartAfter: after,
	}) {
		if found.Err != nil {
			return nil, false, found.Err
		}
		page = append(page, found)
		if len(page) == pageKeys {
			return page, true, nil
		}
	}
	return page, false, ctx.Err()
}

// entries returns the entries of listed objects. One that was moved has the time at which
// it was made in its metadata, which a listing does not give: those are asked for. A
// moved object is one of a multipart upload, and says so by its ETag.
func (s *Storage) entries(ctx context.Context, page []minio.ObjectInfo) ([]lake.Entry, error) {
	entries := make([]lake.Entry, 0, len(page))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, info := range page {
		p := s.pathOf(info.Key)
		if p == "" {
			continue
		}
		entries = append(entries, lake.Entry{Path: p, Bytes: info.Size, Modified: info.LastModified})
		if !strings.Contains(info.ETag, "-") {
			continue
		}
		e := &entries[len(entries)-1] // The slice has room for all: it does not move.
		work.Go(func() error {
			info, err := s.head(ctx, "list", p)
			if notFound(err) {
				return nil // Removed meanwhile.
			}
			if at, ok := modifiedBefore(info); ok && err == nil {
				e.Modified = at
			}
			return err
		})
	}
	return entries, work.Wait()
}

// folderName returns what messages call the folder prefix.
func folderName(prefix string) string {
	if prefix == "" {
		return "."
	}
	return prefix
}
