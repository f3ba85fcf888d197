package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kalamlake/kalam/lake"
)

// Check implements lake.Storage.
func (s *Storage) Check(ctx context.Context) lake.Health {
	start := time.Now()
	h := lake.Health{TestedAt: start.UTC()}
	h.TotalBytes, h.UsedBytes = space(s.dir)
	name := lake.DraftName(lake.ProbeFolder + "/probe")
	content := []byte(start.UTC().Format(time.RFC3339Nano))
	note := func(ok *bool, err error) {
		*ok = err == nil
		if h.Err == nil {
			h.Err = err
		}
	}
	note(&h.Writable, s.Replace(ctx, name, content))
	if h.Writable {
		note(&h.Readable, s.probeRead(ctx, name, content))
	} else {
		note(&h.Readable, s.readRoot())
	}
	note(&h.Listable, s.probeList(ctx, name, h.Writable))
	if h.Writable {
		note(&h.Deletable, s.Remove(ctx, name))
	}
	h.Latency = time.Since(start)
	return h
}

// readRoot is the read that is left where nothing can be written.
func (s *Storage) readRoot() error {
	d, err := s.root.Open(".")
	if err != nil {
		return explain("open", ".", err)
	}
	_, err = d.ReadDir(1)
	if err == io.EOF { //nolint:errorlint // ReadDir promises the bare value
		err = nil
	}
	return errors.Join(explain("read", ".", err), d.Close())
}

func (s *Storage) probeRead(ctx context.Context, name string, want []byte) error {
	o, err := s.Open(ctx, name)
	if err != nil {
		return err
	}
	got := make([]byte, len(want))
	_, err = o.ReadAt(got, 0)
	if err == io.EOF { //nolint:errorlint // io.ReaderAt promises the bare value
		err = nil
	}
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("read %s: not what was written", name)
	}
	return errors.Join(err, o.Close())
}

func (s *Storage) probeList(ctx context.Context, name string, written bool) error {
	found := false
	err := s.List(ctx, lake.ProbeFolder, func(e lake.Entry) error {
		found = found || e.Path == name
		return nil
	})
	if err == nil && written && !found {
		err = fmt.Errorf("list %s: the probe is missing", lake.ProbeFolder)
	}
	return err
}
