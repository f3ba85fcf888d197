//go:build !linux

package lake

import "io/fs"

// identityOf returns the identity of a file: its size and when it was modified.
func identityOf(info fs.FileInfo) identity {
	return identity{bytes: info.Size(), modified: info.ModTime().UnixNano(), changed: info.ModTime().UnixNano()}
}
