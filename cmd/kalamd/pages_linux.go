package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// releaseStartPages takes the program's code out of the process's memory; what
// runs next comes back from the page cache. The start alone runs through tens of
// megabytes of it, most of them the registration of DuckDB's functions. Code is
// never written, so nothing can be lost.
func releaseStartPages(log *slog.Logger) {
	if err := forgetCode(); err != nil {
		log.Debug("pages of the start are kept", slog.Any("error", err))
	}
}

func forgetCode() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[1] != "r-xp" || fields[5] != program {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil {
			return err
		}
		_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		if errno != 0 {
			return errno
		}
	}
	return nil
}
