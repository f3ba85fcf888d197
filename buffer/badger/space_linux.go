package badger

import "syscall"

// diskBytes returns the size of the file system of dir.
func diskBytes(dir string) (total int64, known bool) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Blocks) * int64(st.Bsize), true
}

// freeSpace returns the bytes of the file system of dir that this process may
// still use.
func freeSpace(dir string) (free int64, known bool) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
