package lake_test

import (
	"fmt"
	"syscall"
)

// mountSmall mounts an empty file system of the given size at dir, if it may.
func mountSmall(dir string, size int) (unmount func() error, err error) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return nil, err
	}
	return func() error { return syscall.Unmount(dir, 0) }, nil
}
