package s3

import (
	"path/filepath"

	"github.com/kalamlake/kalam"
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
