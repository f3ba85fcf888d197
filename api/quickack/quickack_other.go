//go:build !linux

package quickack

import "net"

// Of does nothing: other systems have no such option.
func Of(net.Conn) func() { return func() {} }
