package file

import "syscall"

// space returns the size of the file system of dir and how much of it is used,
// in bytes.
func space(dir string) (total, used int64) {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return 0, 0
	}
	return int64(st.Blocks) * int64(st.Bsize), int64(st.Blocks-st.Bfree) * int64(st.Bsize)
}
