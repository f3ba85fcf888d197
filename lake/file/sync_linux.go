package file

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// wholeSyncKinds are the file systems whose syncfs writes all that fsync of each
// file would. Others, such as those of FUSE, may do nothing and report success.
var wholeSyncKinds = []int64{
	unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC,
}

// canSyncWhole reports whether the file system of dir can be synced as a whole, with
// errors reported: since Linux 5.8.
func canSyncWhole(dir string) bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil || !atLeast(name.Release[:], 5, 8) {
		return false
	}
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	for _, kind := range wholeSyncKinds {
		if int64(st.Type) == kind { //nolint:unconvert // Its width depends on the architecture.
			return true
		}
	}
	return false
}

// atLeast compares a release of the kernel, such as "6.1.0-18-amd64".
func atLeast(release []byte, major, minor int) bool {
	parts := bytes.FieldsFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 2 {
		return false
	}
	m, err := strconv.Atoi(string(parts[0]))
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(string(parts[1]))
	return err == nil && (m > major || m == major && n >= minor)
}

// syncFileSystem makes everything in the file system of an open directory durable.
func syncFileSystem(d *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(d.Fd())))
}

// deviceOf returns the number of the file system of a folder.
func deviceOf(dir string) (uint64, bool) {
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	return uint64(st.Dev), err == nil //nolint:unconvert // Its width depends on the architecture.
}
