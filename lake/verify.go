package lake

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
)

// Verify checks that both files of a segment exist, have their sizes, begin and
// end as they should and that their footers are whole: some reads, however large
// the segment is. Damage gives CodeCorrupt naming the file; a missing sidecar
// also ErrNoSidecar.
func (l *Lake) Verify(ctx context.Context, seg *kalam.Segment) error {
	return l.verify(ctx, seg, false)
}

// Scrub is Verify and checks every byte of both files against its checksum.
func (l *Lake) Scrub(ctx context.Context, seg *kalam.Segment) error {
	return l.verify(ctx, seg, true)
}

// verify opens the files anew: what is cached may be older than the damage. The
// Parquet file is looked at also without sidecar, to tell which of them is lost.
func (l *Lake) verify(ctx context.Context, seg *kalam.Segment, deep bool) (err error) {
	at, err := l.location(seg.Storage)
	if err != nil {
		return err
	}
	s, sidecarErr := openSidecar(ctx, at, seg)
	if sidecarErr == nil {
		defer func() { err = errors.Join(err, s.Close()) }()
		sidecarErr = s.checkHead()
	}
	object, err := at.Storage.Open(ctx, seg.Path)
	if err != nil {
		return errors.Join(missingIsCorrupt(seg.Path, err), sidecarErr)
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
	if err = errors.Join(err, sidecarErr); err != nil || !deep {
		return err
	}
	return errors.Join(f.scrub(ctx), s.scrub(ctx))
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
func (f *parquetFile) scrub(ctx context.Context) error {
	buf := make([]byte, 64*f.sumBlock)
	for off := int64(0); off < f.file.Size(); off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), f.file.Size()-off)]
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

// scrub verifies all blocks and that keys rise.
func (s *sidecar) scrub(ctx context.Context) error {
	var last []byte
	n := uint64(0)
	return s.each(ctx, func(e KeyRow) error {
		if n > 0 && compareKeys(KeyRow{Key: last}, KeyRow{Key: e.Key}) >= 0 {
			return corrupt(s.path, "its keys do not rise")
		}
		if uint64(e.Row) >= s.parquetRows {
			return corrupt(s.path, "a key is in row %d of %d", e.Row, s.parquetRows)
		}
		last = append(last[:0], e.Key...)
		n++
		return nil
	})
}

// sectionOf returns a reader over all of an object.
func sectionOf(o Object) io.Reader { return io.NewSectionReader(o, 0, o.Size()) }
