//go:build unix

package badger

import (
	"errors"
	"os"
)

// syncFolder makes the names in a directory durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
