package parquet

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
)

// CheckHead compares the first bytes of the file.
func (f *File) CheckHead() error {
	head := make([]byte, len(magic))
	if err := f.readAt(head, 0); err != nil {
		return err
	}
	if string(head) != magic {
		return integrity.Corrupt(f.path, "it does not begin as a Parquet file")
	}
	return nil
}

// Scrub verifies all checksums of the file.
func (f *File) Scrub(ctx context.Context, pace integrity.Pace) error {
	buf := make([]byte, 64*f.sums.Size)
	for off := int64(0); off < f.file.Size(); off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), f.file.Size()-off)]
		if err := pace.Wait(ctx, len(b)); err != nil {
			return err
		}
		if err := f.readAt(b, off); err != nil {
			return err
		}
	}
	return nil
}

// CheckSums computes the checksums of the blocks of f, by which it is read from then
// on, and compares their checksum, and the footer, with the record of seg.
func (f *File) CheckSums(ctx context.Context, seg *kalam.Segment) error {
	if f.file.Size() != seg.Bytes {
		return integrity.Corrupt(f.path, "it is %d bytes long instead of %d", f.file.Size(), seg.Bytes)
	}
	sums, err := integrity.SumBlocks(ctx, integrity.ReaderOf(f.file), f.file.Size())
	if err != nil {
		return err
	}
	f.sums = sums
	if sum := f.sums.Sum(); seg.Sums.Known() && sum != seg.Sums.File {
		return integrity.Corrupt(f.path, "it has the checksum %08x instead of %08x", sum, seg.Sums.File)
	}
	return f.Open(seg)
}

// CheckTable refuses a file that was not written for this version of t.
func (f *File) CheckTable(t *kalam.Table) error {
	version, err := f.Number(MetaSchemaVersion)
	if err != nil {
		return err
	}
	number, err := f.Number(MetaTableNumber)
	if err != nil {
		return err
	}
	if version != uint64(t.SchemaVersion) || number != uint64(t.Number) {
		return fmt.Errorf("%s was written for version %d of table %d, not for version %d of table %d", f.path, version,
			number, t.SchemaVersion, t.Number)
	}
	plan, err := f.PlanFor(t)
	if err != nil {
		return err
	}
	for i, c := range plan.columns {
		if c.index < 0 {
			return fmt.Errorf("%s lacks column %s", f.path, t.Columns[i].Name)
		}
	}
	return nil
}
