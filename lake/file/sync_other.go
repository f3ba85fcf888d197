//go:build !linux

package file

import (
	"errors"
	"os"
)

func canSyncWhole(string) bool { return false }

func syncFileSystem(*os.File) error { return errors.ErrUnsupported }

func deviceOf(string) (uint64, bool) { return 0, false }
