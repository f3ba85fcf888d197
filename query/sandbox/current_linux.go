package sandbox

// #include "sandbox.h"
import "C"

import (
	"strings"
	"syscall"
)

// Current returns what holds for this process.
func Current() State {
	if C.kalam_sandboxed == 0 {
		return State{Missing: "not entered"}
	}
	s := State{Entered: true, Landlock: int(C.kalam_landlock_abi), Seccomp: C.kalam_seccomp_errno == 0}
	var missing []string
	if e := C.kalam_landlock_errno; e != 0 {
		missing = append(missing, "landlock: "+syscall.Errno(e).Error())
	}
	if e := C.kalam_seccomp_errno; e != 0 {
		missing = append(missing, "seccomp: "+syscall.Errno(e).Error())
	}
	s.Missing = strings.Join(missing, "; ")
	return s
}
