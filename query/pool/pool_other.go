//go:build !linux

package pool

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// Available reports whether this platform has worker processes.
const Available = false

// Open fails: this platform has no worker processes.
func Open(Options) (query.Executor, error) {
	return nil, kalam.Errorf(kalam.CodeUnsupported, "worker processes need Linux: set query.isolation to none")
}
