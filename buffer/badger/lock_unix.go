//go:build unix

package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kalamlake/kalam"
)

// dirLock keeps other processes, and other Backends of this one, out of a
// directory. The system lets go of it when the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockPatience is how long a lock is waited for: a child that a server had just started when it was
// killed holds its files until it runs a program of its own. It is asked for again and again, since a wait
// in flock(2) could not be ended.
const lockPatience = time.Second

func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "kalam.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidInput, err, "data directory %s cannot be written", dir)
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 100) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if err == nil {
		return &dirLock{f}, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(
			kalam.Errorf(kalam.CodeInvalidOperation, "data directory %s is used by another process", dir), f.Close())
	}
	return nil, errors.Join(fmt.Errorf("lock data directory %s: %w", dir, err), f.Close())
}

func (l *dirLock) release() error { return l.file.Close() }
