package file

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/kalamlake/kalam/lake"
)

// Check implements lake.Storage.
func (s *Storage) Check(ctx context.Context) lake.Health {
	h := lake.Probe(ctx, s, time.Now(), s.readRoot)
	h.TotalBytes, h.UsedBytes = space(s.dir)
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
