package systables

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// processUse is what the operating system tells of this process; what it does not
// tell is -1.
type processUse struct {
	resident int64 // Bytes in memory.
	threads  int64
	files    int64         // Open files, sockets included.
	cpu      time.Duration // Of all threads since the start.
}

func readProcess() processUse {
	u := processUse{resident: -1, threads: -1, files: -1, cpu: -1}
	if raw, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(raw); len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				u.resident = pages * int64(os.Getpagesize())
			}
		}
	}
	if list, err := os.ReadDir("/proc/self/task"); err == nil {
		u.threads = int64(len(list))
	}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.files = int64(len(list)) - 1 // Without the one that reads the list.
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u
}
