package settings

import (
	"fmt"
	"os"
)

// Locked runs f while no other shell changes the file at path.
func Locked(path string, f func() error) error {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() //nolint:errcheck // It unlocks an empty file.
	if err := lockFile(lock); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return f()
}

// Replace writes a file that is readable by its owner only: a reader finds the old
// text or the new one.
func Replace(path string, text []byte) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o600); err != nil { // It may have been left over with another mode.
		return err
	}
	return os.Rename(temporary, path)
}
