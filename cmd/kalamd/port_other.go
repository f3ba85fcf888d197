//go:build !linux

package main

import (
	"errors"
	"runtime"
	"syscall"
)

// portHolder would name the process that listens on a port; only Linux tells.
func portHolder(int) string { return "another process" }

// addressInUse reports whether listening failed because somebody else listens.
func addressInUse(err error) bool {
	const wsaAddressInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaAddressInUse)
}
