//go:build unix

package main

import "syscall"

// keepPrivate lets no other user of this machine read what the process creates: the
// rows of all users are in its files. A stricter umask stays as it is.
func keepPrivate() { syscall.Umask(syscall.Umask(0o077) | 0o077) }
