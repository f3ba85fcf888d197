package servicenotify

import "golang.org/x/sys/unix"

// monotonic returns the microseconds of CLOCK_MONOTONIC.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // It fails only for an unknown clock; every Linux has this one.
	return t.Nano() / 1000
}
