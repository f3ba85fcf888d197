//go:build !linux

package worker

// Main returns at once: on this platform DuckDB runs in the server's process.
func Main() (code int, served bool) { return 0, false }
