//go:build !linux

package servicenotify

// monotonic returns 0: there is no systemd here.
func monotonic() int64 { return 0 }
