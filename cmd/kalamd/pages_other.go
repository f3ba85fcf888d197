//go:build !linux

package main

import "log/slog"

// releaseStartPages does nothing here.
func releaseStartPages(*slog.Logger) {}
