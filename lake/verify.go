package lake

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
)

// Verify checks that both files of a segment exist, have their sizes, begin and
// end as they should, that their footers are whole, and that they are those that the
// record describes: some reads, however large the segment is. Damage gives CodeCorrupt
// naming the file; a missing sidecar also ErrNoSidecar.
func (l *Lake) Verify(ctx context.Context, seg *kalam.Segment) error {
	_, err := l.verify(ctx, seg, false, nil)
	return err
}

// Pace is called before each piece of a file that is read, with its size: it waits as
// long as the reading shall take, and ends it by an error.
type Pace func(ctx context.Context, bytes int) error

// Scrub is Verify and checks every byte of both files against its checksum. It
// returns the sums of a segment that the record does not know yet, those of the record
// otherwise. pace may be nil.
func (l *Lake) Scrub(ctx context.Context, seg *kalam.Segment, pace Pace) (kalam.SegmentSums, error) {
	return l.verify(ctx, seg, true, pace)
}

// verify opens the files anew: what is cached may be older than the damage. The
// Parquet file is looked at also without sidecar, to tell which of them is lost.
func (l *Lake) verify(ctx context.Context, seg *kalam.Segment, deep bool,
	pace Pace) (sums kalam.SegmentSums, err error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return sums, err
	}
	s, sidecarErr := openSidecar(ctx, at, seg)
	if sidecarErr == nil {
		defer func() { err = errors.Join(err, s.Close()) }()
		sidecarErr = s.checkHead()
	}
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return sums, errors.Join(missingIsCorrupt(seg.Path, err), sidecarErr)
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	f := &parquetFile{path: seg.Path, file: object}
	if s != nil {
		f.sums, f.sumBlock = s.sums, int64(s.sumBlock)
	}
	err = f.open(seg)
	if err == nil {
		err = f.checkHead()
	}
	if err != nil || !deep {
		return sums, errors.Join(err, sidecarErr)
	}
	if s == nil { // It can still be told whether the file is whole.
		return sums, errors.Join(f.checkSums(ctx, seg), sidecarErr)
	}
	keysSum, keysErr := s.scrub(ctx, seg, pace)
	sums = kalam.SegmentSums{File: s.sumsSum, Footer: f.footerSum, Keys: keysSum, KeysBytes: s.file.Size()}
	return sums, errors.Join(f.scrub(ctx, pace), keysErr, sidecarErr)
}

func (p Pace) wait(ctx context.Context, bytes int) error {
	if err := ctx.Err(); err != nil || p == nil {
		return err
	}
	return p(ctx, bytes)
}

func (f *parquetFile) checkHead() error {
	head := make([]byte, len(parquetMagic))
	if err := f.readAt(head, 0); err != nil {
		return err
	}
	if string(head) != parquetMagic {
		return corrupt(f.path, "it does not begin as a Parquet file")
	}
	return nil
}

// scrub verifies all checksums of the file.
func (f *parquetFile) scrub(ctx context.Context, pace Pace) error {
	buf := make([]byte, 64*f.sumBlock)
	for off := int64(0); off < f.file.Size(); off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), f.file.Size()-off)]
		if err := pace.wait(ctx, len(b)); err != nil {
			return err
		}
		if err := f.readAt(b, off); err != nil {
			return err
		}
	}
	return nil
}

// checkHead checks the header, which lookups do not read.
func (s *sidecar) checkHead() error {
	head := make([]byte, headerSize)
	if err := s.read(head, 0); err != nil {
		return err
	}
	var want [headerSize]byte
	copy(want[:], sidecarMagic)
	want[len(sidecarMagic)] = sidecarVersion
	if [headerSize]byte(head) != want {
		return corrupt(s.path, "it does not begin as a sidecar")
	}
	return nil
}

// scrub verifies all blocks and that keys rise from the lowest to the highest one of
// seg, and returns the checksum of the file.
func (s *sidecar) scrub(ctx context.Context, seg *kalam.Segment, pace Pace) (sum uint32, err error) {
	var last []byte
	n := uint64(0)
	sum, err = s.each(ctx, pace, func(e KeyRow) error {
		if n > 0 && compareKeys(KeyRow{Key: last}, KeyRow{Key: e.Key}) >= 0 {
			return corrupt(s.path, "its keys do not rise")
		}
		if uint64(e.Row) >= s.parquetRows {
			return corrupt(s.path, "a key is in row %d of %d", e.Row, s.parquetRows)
		}
		if n == 0 && seg.MinKey != nil && !bytes.Equal(e.Key, seg.MinKey) {
			return corrupt(s.path, "its first key is not that of the record")
		}
		last = append(last[:0], e.Key...)
		n++
		return nil
	})
	if err == nil && seg.MaxKey != nil && !bytes.Equal(last, seg.MaxKey) {
		err = corrupt(s.path, "its last key is not that of the record")
	}
	return sum, err
}

// sectionOf returns a reader over all of an object.
func sectionOf(o Object) io.Reader { return io.NewSectionReader(o, 0, o.Size()) }
