//go:build !linux

package buffertest

import "testing"

// Disk is a small file system of its own.
type Disk struct {
	Name string // Of its kind.
	Dir  string
}

// SmallDisks mounts nothing here.
func SmallDisks(t *testing.T, _ int64) []Disk {
	t.Log("NO SMALL DISK: nothing can be mounted on this system")
	return nil
}
