package badger

import "os"

// AllocatedBytes returns what a file takes on the disk.
func AllocatedBytes(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
