//go:build unix

package file

import "os"

// syncFolder makes the names in an open folder durable.
func syncFolder(d *os.File) error { return d.Sync() }
