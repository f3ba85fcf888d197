//go:build unix

package lake

import (
	"errors"
	"syscall"
)

// IsNoSpace reports whether err is the system's word for a full disk or a
// used-up quota. Storages answer it with CodeResourceExhausted.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
