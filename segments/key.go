package segments

import "github.com/kalamlake/kalam"

// Key names a segment: a path means nothing without its storage.
type Key struct {
	Storage kalam.StorageID
	Path    string
}

// KeyOf returns the key of a segment.
func KeyOf(s *kalam.Segment) Key { return NewKey(s.Storage, s.Path) }

// NewKey returns the key of the segment at a path; no storage is the local one.
func NewKey(storage kalam.StorageID, path string) Key {
	if storage == "" {
		storage = kalam.LocalStorage
	}
	return Key{Storage: storage, Path: path}
}
