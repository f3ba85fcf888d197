// Package file is the lake.Storage on a directory of this machine.
//
// An object is a file below the root. It is written under a temporary name in
// its own folder, synced, linked to its name and its folder is synced, so that
// after a crash or power cut it is there whole or not at all, and no existing
// file is ever replaced by accident. Access goes through os.Root: neither a
// path nor a symbolic link leads out of the root.
//
// One process uses a root at a time; Lock sees to that.
package file
