package jobs

import (
	"syscall"
	"time"
)

// processCPU returns the CPU time that the process has used, 0 when the system
// does not tell.
func processCPU() time.Duration {
	p, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(p, &created, &exited, &kernel, &user); err != nil {
		return 0
	}
	return fileTime(kernel) + fileTime(user)
}

// fileTime reads a Filetime as a duration; its unit is 100 ns.
func fileTime(f syscall.Filetime) time.Duration {
	return time.Duration(uint64(f.HighDateTime)<<32|uint64(f.LowDateTime)) * 100
}
