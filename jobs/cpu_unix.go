//go:build unix

package jobs

import (
	"syscall"
	"time"
)

// processCPU returns the CPU time that the process has used, 0 when the system
// does not tell.
func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
