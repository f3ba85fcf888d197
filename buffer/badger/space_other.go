//go:build !linux

package badger

// freeSpace does not know the file system here.
func freeSpace(string) (free int64, known bool) { return 0, false }
