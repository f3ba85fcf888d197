package s3

import (
	"errors"
	"io/fs"
	"os"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// parallel is how many requests one operation has under way at a time.
	parallel = 8
)

// makeDir creates a directory that only this user may enter.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	return os.Chmod(dir, folderMode)
}

// isMissing reports whether an error of the file system says that there is no file.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
