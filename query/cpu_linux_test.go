package query_test

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that the process has used, which,
// unlike the clock, does not depend on what else the machine does.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
