package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/kalamlake/kalam/lake/layout"
)

// Note records in h what was found of ok, one of its fields; the first error stays.
func (h *Health) Note(ok *bool, err error) {
	*ok = err == nil
	if h.Err == nil {
		h.Err = err
	}
}

// Probe writes, reads, lists and removes an object of a Storage, for its Check. read is
// the reading that is left where nothing can be written. The sizes are left open.
func Probe(ctx context.Context, s Storage, tested time.Time, read func() error) Health {
	start := time.Now()
	h := Health{TestedAt: tested.UTC()}
	name := layout.StagedName(layout.ProbeFolder + "/probe")
	content := []byte(name)
	h.Note(&h.Writable, s.Replace(ctx, name, content))
	written := h.Writable
	if written {
		h.Note(&h.Readable, probeRead(ctx, s, name, content))
	} else {
		h.Note(&h.Readable, read())
	}
	h.Note(&h.Listable, probeList(ctx, s, name, written))
	if written {
		h.Note(&h.Deletable, s.Remove(ctx, name))
	}
	h.Latency = time.Since(start)
	return h
}

func probeRead(ctx context.Context, s Storage, name string, want []byte) error {
	o, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("read %s: not what was written", name)
	}
	return errors.Join(err, o.Close())
}

func probeList(ctx context.Context, s Storage, name string, written bool) error {
	found := false
	err := s.List(ctx, layout.ProbeFolder, func(e Entry) error {
		found = found || e.Path == name
		return nil
	})
	if err == nil && written && !found {
		err = fmt.Errorf("list %s: the probe is missing", layout.ProbeFolder)
	}
	return err
}

// WithoutName strips the wrappers by which package os names a file: what a Storage
// returns tells no name outside of it.
func WithoutName(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // each wrapper is peeled in turn
		case *fs.PathError:
			err = e.Err
		case *os.LinkError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		default:
			return err
		}
	}
}
