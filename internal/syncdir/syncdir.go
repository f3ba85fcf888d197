// Package syncdir makes the names in a directory durable.
package syncdir

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

// Sync makes what was created, renamed or removed in dir durable, where the system syncs directories; elsewhere it does
// nothing. A dir that does not exist is fs.ErrNotExist.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if runtime.GOOS == "windows" || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
