package badger

import (
	"errors"
	"syscall"
)

// noSpaceText is how the system words a full disk.
const noSpaceText = "There is not enough space on the disk"

// noSpace knows ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
func noSpace(err error) bool {
	return errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(112))
}
