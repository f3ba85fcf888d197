package integrity

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/kalamlake/kalam"
)

// Corrupt returns the error of a damaged file.
func Corrupt(p, format string, args ...any) error {
	return kalam.Wrap(kalam.CodeCorrupt, fmt.Errorf(format, args...), "%s is damaged", p)
}

// File is an open file of a storage. ReadAt is safe for concurrent use.
type File interface {
	io.ReaderAt
	io.Closer
	// Size returns the length in bytes.
	Size() int64
}

// ReadFull fills b from offset off of f, the file at p; anything less is damage.
func ReadFull(f File, p string, b []byte, off int64) error {
	if n, err := f.ReadAt(b, off); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			return Corrupt(p, "it ends early")
		}
		return err
	}
	return nil
}

// ReaderOf returns a reader over all of a file.
func ReaderOf(f File) io.Reader { return io.NewSectionReader(f, 0, f.Size()) }

// Pace is called before each piece of a file that is read, with its size: it waits as
// long as the reading shall take, and ends it by an error. nil does not wait.
type Pace func(ctx context.Context, bytes int) error

// Wait waits before bytes are read, or ends with ctx.
func (p Pace) Wait(ctx context.Context, bytes int) error {
	if err := ctx.Err(); err != nil || p == nil {
		return err
	}
	return p(ctx, bytes)
}
