package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// releaseStartPages takes the program's code and constants out of the process's
// memory; what is needed next comes back from the page cache. The start alone
// runs through tens of megabytes of them, most of them for the registration of
// DuckDB's functions. They are never written, so nothing can be lost.
func releaseStartPages(log *slog.Logger) {
	if err := forgetProgram(); err != nil {
		log.Debug("pages of the start are kept", slog.Any("error", err))
	}
}

func forgetProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	ranges, err := unwrittenRanges("/proc/self/smaps", program)
	if err != nil {
		return err
	}
	for _, r := range ranges {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, r.from, r.to-r.from, syscall.MADV_DONTNEED); errno != 0 {
			return errno
		}
	}
	return nil
}

// addresses is a range of memory.
type addresses struct{ from, to uintptr }

// unwrittenRanges returns the ranges of a program that cannot be written and never
// were: the loader writes to some pages before it protects them, and of those the
// file is not the truth. smaps is a file of the form of proc(5).
func unwrittenRanges(smaps, program string) ([]addresses, error) {
	f, err := os.Open(smaps)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	var ranges []addresses
	var at addresses
	var candidate bool
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			if _, err := fmt.Sscanf(fields[0], "%x-%x", &at.from, &at.to); err != nil {
				return nil, err
			}
			candidate = len(fields) == 6 && fields[5] == program && (fields[1] == "r-xp" || fields[1] == "r--p")
		case candidate && len(fields) == 3 && fields[0] == "Anonymous:":
			if fields[1] == "0" {
				ranges = append(ranges, at)
			}
		}
	}
	return ranges, nil
}
