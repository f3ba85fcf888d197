package integrity

import (
	"io/fs"
	"syscall"
)

// IdentityOf returns the identity of a file.
func IdentityOf(info fs.FileInfo) Identity {
	id := Identity{bytes: info.Size(), modified: info.ModTime().UnixNano()}
	id.changed = id.modified
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.changed = st.Ctim.Nano()
		id.device, id.inode = uint64(st.Dev), st.Ino //nolint:unconvert // its type differs by architecture
	}
	return id
}

// hasNoName reports whether an open file is in no directory any more.
func hasNoName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}
