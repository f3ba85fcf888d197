//go:build !linux

package worker

// Main returns at once: on this platform DuckDB runs in the server's process.
func Main() {}
