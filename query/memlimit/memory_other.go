//go:build !linux

package memlimit

// systemMemory returns 0: the bytes of memory of the machine are unknown.
func systemMemory() int64 { return 0 }
