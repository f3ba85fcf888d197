//go:build !linux

package file

// space returns zeros: the size of the file system is not known here.
func space(string) (total, used int64) { return 0, 0 }

// fileSystem does not know the file system here.
func fileSystem(string) (total, free int64) { return 0, 0 }

// sameDisk does not know the file systems here.
func sameDisk(a, b string) bool { return false }
