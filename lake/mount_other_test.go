//go:build !linux

package lake_test

import "errors"

// mountSmall is for Linux only.
func mountSmall(string, int) (func() error, error) { return nil, errors.ErrUnsupported }
