package pool

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// lend sends the files that a statement reads, open: its worker can open none by itself.
func (c *call) lend(params []query.Param) error {
	var paths []string
	for _, p := range params {
		paths = append(paths, p.Paths...)
	}
	for from := 0; from < len(paths); from += process.MaxFiles {
		if err := c.lendSome(paths[from:min(from+process.MaxFiles, len(paths))], from == 0); err != nil {
			return err
		}
	}
	return nil
}

// lendSome sends as many files as fit in a frame. first says that those of a call that was
// not made are given back.
func (c *call) lendSome(paths []string, first bool) error {
	files := make([]*os.File, 0, len(paths))
	defer func() {
		for _, f := range files {
			_ = f.Close() // The worker has it; it was not read here.
		}
	}()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return notLent(path, err)
		}
		files = append(files, f)
	}
	var b wire.Buffer
	b.Bool(first)
	return c.w.proc.Conn().Write(process.Frame{Kind: wire.Lend, Payload: b.B, Files: files})
}

// notLent words why a file could not be opened, as query words what DuckDB says of one.
func notLent(path string, err error) error {
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "too many files are open; try again later")
	}
	return kalam.Wrap(kalam.CodeCorrupt, err, "cannot read segment %s", filepath.Base(path))
}
