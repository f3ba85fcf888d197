// Package memlimit says how much memory queries may use: it reads sizes as DuckDB writes
// them, and asks the machine when none is given. stdlib and words of the root only.
package memlimit

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

// Limits of the default memory limit.
const (
	leastMemory = 256 << 20
	mostMemory  = 4 << 30
)

// Default returns half of what the machine or container has, within limits.
func Default() int64 {
	n := int64(1 << 30)
	if total := machineMemory(); total > 0 {
		n = min(max(total/2, leastMemory), mostMemory)
	}
	return n
}

// machineMemory returns the bytes of memory that this process may use, 0 when
// the system does not tell.
func machineMemory() int64 {
	var total int64
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for _, line := range strings.Split(string(b), "\n") {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
				kib, _ := strconv.ParseInt(f[1], 10, 64)
				total = kib << 10
			}
		}
	}
	if total == 0 {
		total = systemMemory()
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil &&
			n > 0 && (total == 0 || n < total) {
			total = n
		}
	}
	return total
}

// units are the units of sizes.
var units = map[string]float64{
	"": 1, "b": 1, "byte": 1, "bytes": 1,
	"k": 1e3, "kb": 1e3, "m": 1e6, "mb": 1e6, "g": 1e9, "gb": 1e9, "t": 1e12, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}

var sizePattern = regexp.MustCompile(`^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*|%)\s*$`)

// Parse returns the bytes of a size such as "2GB", "512 MiB" or "50%", which is a share
// of the machine's memory; "" is Default.
func Parse(size string) (int64, error) {
	if size == "" {
		return Default(), nil
	}
	m := sizePattern.FindStringSubmatch(size)
	if m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		unit, known := units[strings.ToLower(m[2])]
		if m[2] == "%" {
			unit, known = float64(machineMemory())/100, true
		}
		if bytes := n * unit; err == nil && known && bytes >= 1 && bytes < 1<<60 {
			return int64(bytes), nil
		}
	}
	return 0, kalam.Errorf(kalam.CodeInvalidInput, "a size of memory such as 2GB is expected, not '%s'", size)
}

// Format returns a size as DuckDB takes it.
func Format(bytes int64) string { return fmt.Sprintf("%dKiB", max(bytes>>10, 1)) }
