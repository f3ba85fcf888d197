//go:build !linux

package query_test

import "time"

var processStart = time.Now()

// cpuTime is the clock where it cannot be measured.
func cpuTime() time.Duration { return time.Since(processStart) }
