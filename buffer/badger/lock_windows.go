package badger

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/kalamlake/kalam"
)

// errSharingViolation is ERROR_SHARING_VIOLATION.
const errSharingViolation = syscall.Errno(32)

// dirLock keeps other processes, and other Backends of this one, out of a
// directory: a file that is open without sharing.
type dirLock struct{ handle syscall.Handle }

func lockDir(dir string) (*dirLock, error) {
	name, err := syscall.UTF16PtrFromString(filepath.Join(dir, "kalam.lock"))
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "data directory %s cannot be opened", dir)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "data directory %s is used by another process", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return &dirLock{h}, nil
}

func (l *dirLock) release() error { return syscall.CloseHandle(l.handle) }
