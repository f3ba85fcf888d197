package file

import (
	"fmt"

	"github.com/kalamlake/kalam"
)

// KeepFree has new objects leave room on the disk: reserve returns how many bytes. It
// is called before others use the storage. What replaces an object is not concerned,
// nor is anything that is removed.
func (s *Storage) KeepFree(reserve func() int64) { s.reserve = reserve }

// Space returns the size of the file system and how much of it is free, in bytes;
// total is 0 where the system does not tell.
func (s *Storage) Space() (total, free int64) { return fileSystem(s.dir) }

// SharesDisk reports whether dir is on the file system of the storage.
func (s *Storage) SharesDisk(dir string) bool { return sameDisk(s.dir, dir) }

// checkRoom refuses a new object where the disk has less free than the reserve.
func (s *Storage) checkRoom(path string) error {
	if s.reserve == nil {
		return nil
	}
	need := s.reserve()
	total, free := s.Space()
	if total == 0 || free >= need {
		return nil
	}
	return kalam.Errorf(kalam.CodeResourceExhausted, "write %s: the disk of the storage is nearly full: "+
		"%s are free, %s are needed; drop a table or free space on the disk, then try again",
		path, mebibytes(free), mebibytes(need))
}

// mebibytes words a number of bytes.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
