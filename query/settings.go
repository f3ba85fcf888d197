package query

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// lockdown returns the settings of an instance that can read and write dirs and
// nothing else, in the order in which DuckDB takes them: once external access is
// off the directories cannot change, and once locked nothing can.
func lockdown(dirs []string, temp, memory string, threads int) []string {
	quoted := make([]string, len(dirs))
	for i, d := range dirs {
		quoted[i] = quoteText(strings.TrimSuffix(d, "/") + "/")
	}
	return []string{
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET allow_unsigned_extensions = false",
		"SET TimeZone = 'UTC'",
		"SET errors_as_json = true",
		"SET max_expression_depth = 1000",
		"SET enable_progress_bar = false",
		"SET enable_external_file_cache = false", // The system caches the lake already.
		"SET threads = " + strconv.Itoa(threads),
		"SET memory_limit = " + quoteText(memory),
		"SET temp_directory = " + quoteText(temp),
		"SET allowed_directories = [" + strings.Join(quoted, ", ") + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
}

// postgreSQL returns the settings with that in front by which ORDER BY is PostgreSQL's.
// See divide.c for its division.
func postgreSQL(settings []string) []string {
	return append([]string{"SET default_null_order = 'nulls_last_on_asc_first_on_desc'"}, settings...)
}

// Limits of the default memory limit.
const (
	leastMemory = 256 << 20
	mostMemory  = 4 << 30
)

// defaultMemory is half of what the machine or container has, within limits.
func defaultMemory() string {
	n := int64(1 << 30)
	if total := machineMemory(); total > 0 {
		n = min(max(total/2, leastMemory), mostMemory)
	}
	return fmt.Sprintf("%dMiB", n>>20)
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
		if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && n > 0 && (total == 0 || n < total) {
			total = n
		}
	}
	return total
}

func defaultThreads() int { return runtime.GOMAXPROCS(0) }
