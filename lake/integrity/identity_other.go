//go:build !linux

package integrity

import "io/fs"

// IdentityOf returns the identity of a file: its size and when it was modified.
func IdentityOf(info fs.FileInfo) Identity {
	return Identity{bytes: info.Size(), modified: info.ModTime().UnixNano(), changed: info.ModTime().UnixNano()}
}
