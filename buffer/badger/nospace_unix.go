//go:build unix

package badger

import (
	"errors"
	"syscall"
)

// noSpaceText is how the system words a full disk.
const noSpaceText = "no space left on device"

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
