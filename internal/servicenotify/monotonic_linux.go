package servicenotify

import "golang.org/x/sys/unix"

// monotonic returns the microseconds of CLOCK_MONOTONIC.
func monotonic() int64 {
	var t unix.Timespec
	// It fails for a clock that there is not only.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano() / 1000
}
