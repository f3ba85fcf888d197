//go:build !linux

package dialect_test

import "time"

var processStart = time.Now()

// cpuTime is the clock where threads cannot be measured.
func cpuTime() time.Duration { return time.Since(processStart) }
