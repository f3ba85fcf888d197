package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	badger "github.com/dgraph-io/badger/v4"

	"github.com/kalamlake/kalam"
)

// damaged is the error of files that cannot be used at all.
func damaged(dir string, err error) error {
	return kalam.Wrap(kalam.CodeCorrupt, err,
		"data directory %s is damaged; keep its files and restore it from a backup",
		dir)
}

// isNoSpace reports whether the error is that of a full disk. Badger wraps
// errors as text, so errors.Is does not find it.
func isNoSpace(err error) bool {
	return err != nil && (noSpace(err) || strings.Contains(err.Error(), noSpaceText))
}

// badFile is the error of a file that cannot be used: it is damaged or missing,
// unless the system refused to read it.
func badFile(dir, name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged(dir, fmt.Errorf("%s is missing; %s names it", name, badger.ManifestFilename))
	case isSystemError(err):
		return unreadable(dir, err)
	}
	return damaged(dir, fmt.Errorf("%s: %w", name, err))
}

// unreadable is the error of files that the system does not let us read: nothing
// says that they are damaged.
func unreadable(dir string, err error) error {
	return kalam.Wrap(kalam.CodeInvalidInput, err,
		"data directory %s cannot be read; nothing was changed; check the permissions and the disk, then start again",
		dir)
}

// isSystemError reports whether err is the system's about a file that exists, as a
// lack of permission or a failing disk, and not about what is in the file.
func isSystemError(err error) bool {
	var at *fs.PathError
	return errors.As(err, &at) && !errors.Is(err, fs.ErrNotExist)
}
