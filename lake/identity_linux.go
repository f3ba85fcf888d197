package lake

import (
	"io/fs"
	"syscall"
)

// identityOf returns the identity of a file.
func identityOf(info fs.FileInfo) identity {
	id := identity{bytes: info.Size(), modified: info.ModTime().UnixNano()}
	id.changed = id.modified
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.changed = st.Ctim.Nano()
		id.device, id.inode = uint64(st.Dev), st.Ino //nolint:unconvert // its type differs by architecture
	}
	return id
}
