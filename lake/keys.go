package lake

import (
	"bytes"
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
)

// ErrNoKeyIndex is in the chain of the CodeCorrupt error for a segment whose
// key index file is missing. Rebuild makes a new one.
var ErrNoKeyIndex = errors.New("the key index file is missing")

// OpenKeyIndex reads the trailer and index of the key index file of seg and checks that
// it belongs to it.
func OpenKeyIndex(ctx context.Context, s Storage, seg *kalam.Segment) (*keyindex.File, error) {
	p := layout.KeyIndexPath(seg.Path)
	f, err := s.Open(ctx, p)
	if errors.Is(err, ErrNotExist) {
		return nil, kalam.Wrap(kalam.CodeCorrupt, ErrNoKeyIndex, "%s is missing", p)
	}
	if err != nil {
		return nil, err
	}
	return keyindex.Open(p, f, seg)
}

// ReadKeyIndexHead returns what the key index file at p says of its segment.
func ReadKeyIndexHead(ctx context.Context, s Storage, p string) (head keyindex.Head, err error) {
	object, err := s.Open(ctx, p)
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	return keyindex.ReadHead(p, object)
}

// Find returns the position of each key in seg, -1 for a key that it does not
// hold, exactly. Keys may come in any order and twice; each block of the
// key index file is read once. A damaged key index file gives CodeCorrupt, a missing one
// ErrNoKeyIndex with it.
func (l *Lake) Find(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]int64, error) {
	found, err := l.Locate(ctx, seg, keys)
	if err != nil {
		return nil, err
	}
	rows := make([]int64, len(found))
	for i := range found {
		rows[i] = found[i].Row
	}
	return rows, nil
}

// Locate is Find with the seq of each row.
func (l *Lake) Locate(ctx context.Context, seg *kalam.Segment, keys [][]byte) ([]keyindex.Position, error) {
	if !mayHold(seg, keys) {
		found := make([]keyindex.Position, len(keys))
		for i := range found {
			found[i].Row = -1
		}
		return found, nil
	}
	var found []keyindex.Position
	err := l.withKeyIndex(ctx, seg, func(s *keyindex.File) (err error) {
		if found, err = s.Locate(ctx, keys); err != nil {
			return err
		}
		return s.Unchanged()
	})
	return found, err
}

// withKeyIndex runs read, which must stand being run again, with the key index file of seg.
// A file that was changed since it was opened is opened anew: it is then compared
// with the record.
func (l *Lake) withKeyIndex(ctx context.Context, seg *kalam.Segment, read func(*keyindex.File) error) error {
	for try := 1; ; try++ {
		h, err := l.keyIndex(ctx, seg)
		if err != nil {
			return err
		}
		err = read(h.value)
		if err != nil && !errors.Is(err, integrity.ErrChanged) {
			if changed := h.value.Unchanged(); changed != nil {
				err = changed // What was read may be of two files.
			}
		}
		if errors.Is(err, integrity.ErrChanged) {
			l.keyIndexes.dropHandle(h)
		}
		l.keyIndexes.release(h)
		if !errors.Is(err, integrity.ErrChanged) || try == maxTries {
			return err
		}
	}
}

// maxTries is how often a file that changes while it is read is opened anew.
const maxTries = 3

// mayHold reports whether a key is within the range of seg. Keys that rise with
// time, as most do, are decided here without opening the key index file.
func mayHold(seg *kalam.Segment, keys [][]byte) bool {
	for _, key := range keys {
		if bytes.Compare(key, seg.MinKey) >= 0 && (seg.MaxKey == nil || bytes.Compare(key, seg.MaxKey) <= 0) {
			return true
		}
	}
	return false
}

func (l *Lake) keyIndex(ctx context.Context, seg *kalam.Segment) (*handle[*keyindex.File], error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return nil, err
	}
	return l.keyIndexes.acquire(ctx, objectKey{at.ID, layout.KeyIndexPath(seg.Path)},
		func() (*keyindex.File, int64, error) {
			s, err := OpenKeyIndex(ctx, at.Storage, seg)
			if err != nil {
				return nil, 0, err
			}
			return s, s.Memory(), nil
		})
}

// EachKey calls visit for every key of seg in key order, for compaction and for
// clients that resume. Key is valid only during the call. It stops at visit's
// first error, which it returns.
func (l *Lake) EachKey(ctx context.Context, seg *kalam.Segment, visit func(keyindex.Entry) error) error {
	// Once visit was called it is too late.
	if err := l.withKeyIndex(ctx, seg, (*keyindex.File).Unchanged); err != nil {
		return err
	}
	h, err := l.keyIndex(ctx, seg)
	if err != nil {
		return err
	}
	defer l.keyIndexes.release(h)
	_, err = h.value.Each(ctx, nil, visit)
	return err
}
