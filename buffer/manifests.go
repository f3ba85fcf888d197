package buffer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// ScopeManifest is the manifest of record of a scope.
type ScopeManifest struct {
	Scope    kalam.Scope
	Manifest Manifest
}

// manifestsPage is how many manifests are read in one scan of Manifests.
const manifestsPage = 256

// Manifests yields every manifest of record in a backend, by table and user, also
// those of tables that nobody knows any more. One that cannot be read is yielded as
// an error, and the next follows; an error that ends the reading is the last thing
// it yields. So what it yields is complete if none of it is an error. Manifests
// that are committed meanwhile may be older or newer. It needs no Store and changes
// nothing.
func Manifests(ctx context.Context, b Reader) iter.Seq2[ScopeManifest, error] {
	return func(yield func(ScopeManifest, error) bool) {
		var start []byte
		for {
			page, next, err := manifestsFrom(ctx, b, start)
			for _, m := range page {
				if !yield(m.manifest, m.err) {
					return
				}
			}
			if err != nil {
				yield(ScopeManifest{}, err)
				return
			}
			if next == nil {
				return
			}
			start = next
		}
	}
}

type manifestOrError struct {
	manifest ScopeManifest
	err      error
}

// manifestsFrom reads some manifests from start on, and returns where the next ones
// begin, nil when there are none.
func manifestsFrom(ctx context.Context, b Reader, start []byte) (page []manifestOrError, next []byte, err error) {
	err = b.Scan(ctx, rowlog.KeyspaceManifest, start, nil, func(key, value []byte) error {
		if len(page) == manifestsPage {
			next = bytes.Clone(key)
			return errStop
		}
		m, err := readScopeManifest(key, value)
		page = append(page, manifestOrError{m, err})
		return nil
	})
	var damage *DamageError
	switch {
	case errors.Is(err, ErrPartitionNotFound), errors.Is(err, errStop):
		err = nil
	case errors.As(err, &damage):
		page = append(page, manifestOrError{err: fmt.Errorf("read manifest: %w", err)})
		return page, append(bytes.Clone(damage.Key), 0), nil
	case err != nil:
		err = fmt.Errorf("read manifests: %w", err)
	}
	return page, next, err
}

func readScopeManifest(key, value []byte) (m ScopeManifest, err error) {
	sc, rest, err := rowlog.SplitScope(key)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the scope", len(rest))
	}
	if err != nil {
		return m, kalam.Wrap(kalam.CodeCorrupt, err, "the key of a manifest is damaged")
	}
	m.Scope = sc
	l, err := decodeManifest(sc, value)
	if err != nil {
		return m, err
	}
	m.Manifest = l.Manifest
	return m, nil
}
