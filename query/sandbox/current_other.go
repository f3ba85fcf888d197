//go:build !linux

package sandbox

// Current returns what holds for this process, which is nothing on this platform.
func Current() State { return State{Missing: "this platform has none"} }
