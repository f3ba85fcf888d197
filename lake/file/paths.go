package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
)

func check(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return layout.CheckPath(p)
}

// explain turns an error of the operating system into one of the contract: the
// path inside the storage instead of the absolute one, and a code or sentinel.
func explain(verb, p string, err error) error {
	if err == nil {
		return nil
	}
	var known *kalam.Error
	if errors.As(err, &known) {
		return err
	}
	err = lake.WithoutName(err)
	switch {
	case lake.IsNoSpace(err):
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "%s %s: no space left on the storage", verb, p)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: %w", verb, p, lake.ErrNotExist)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s %s: %w", verb, p, lake.ErrExist)
	}
	return fmt.Errorf("%s %s: %w", verb, p, err)
}
