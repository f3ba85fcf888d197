//go:build unix

package badger

import "syscall"

// AllocatedBytes returns what a file takes on the disk.
func AllocatedBytes(name string) int64 {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return 0
	}
	return st.Blocks * 512
}
