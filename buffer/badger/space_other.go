//go:build !linux

package badger

// diskBytes does not know the file system here.
func diskBytes(string) (total int64, known bool) { return 0, false }

// freeSpace does not know the file system here.
func freeSpace(string) (free int64, known bool) { return 0, false }
