package s3

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
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

// notOwn is the error for a staged object that is not one of an open storage's.
func notOwn(d lake.Staged) error {
	return fmt.Errorf("commit %s: not an open staged object of this storage", d.Path())
}

// pathOf returns the path of the object with the key, "" for a key that no path has.
func (s *Storage) pathOf(key string) string {
	p, ok := strings.CutPrefix(key, s.root)
	if !ok || layout.CheckPath(p) != nil {
		return ""
	}
	return p
}
