package memlimit

import "syscall"

// systemMemory returns the bytes of memory of the machine without looking at
// /proc, which an empty root directory does not have; 0 when unknown.
func systemMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit) //nolint:gosec,unconvert // The types differ between architectures.
}
