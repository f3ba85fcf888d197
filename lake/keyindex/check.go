package keyindex

import (
	"bytes"
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// CheckHead checks the header, which lookups do not read.
func (s *File) CheckHead() error {
	head := make([]byte, headerSize)
	if err := s.read(head, 0); err != nil {
		return err
	}
	var want [headerSize]byte
	copy(want[:], formatMagic)
	want[len(formatMagic)] = formatVersion
	if [headerSize]byte(head) != want {
		return integrity.Corrupt(s.path, "it does not begin as a key index file")
	}
	return nil
}

// Scrub verifies all blocks and that keys rise from the lowest to the highest one of
// seg, and returns the checksum of the file.
func (s *File) Scrub(ctx context.Context, seg *kalam.Segment, pace integrity.Pace) (sum uint32, err error) {
	var last []byte
	n := uint64(0)
	sum, err = s.Each(ctx, pace, func(e Entry) error {
		if n > 0 && compare(Entry{Key: last}, Entry{Key: e.Key}) >= 0 {
			return integrity.Corrupt(s.path, "its keys do not rise")
		}
		if uint64(e.Row) >= s.parquetRows {
			return integrity.Corrupt(s.path, "a key is in row %d of %d", e.Row, s.parquetRows)
		}
		if n == 0 && seg.MinKey != nil && !bytes.Equal(e.Key, seg.MinKey) {
			return integrity.Corrupt(s.path, "its first key is not that of the record")
		}
		last = append(last[:0], e.Key...)
		n++
		return nil
	})
	if err == nil && seg.MaxKey != nil && !bytes.Equal(last, seg.MaxKey) {
		err = integrity.Corrupt(s.path, "its last key is not that of the record")
	}
	return sum, err
}
