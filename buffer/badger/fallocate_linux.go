package badger

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// fallocate is replaced by tests.
var fallocate = syscall.Fallocate

// allocate gives a file length bytes of the disk, behind its end if mode says so.
func allocate(fd int, mode uint32, length int64) error {
	for {
		err := fallocate(fd, mode, 0, length)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// allocateBehind gives a file length bytes of the disk without making it longer.
// known is false where the file system cannot.
func allocateBehind(f *os.File, length int64) (known bool, err error) {
	err = allocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, length)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return false, nil
	}
	return true, err
}

// allocatedBytes returns what a file takes on the disk.
func allocatedBytes(info os.FileInfo) int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Blocks * 512
}
