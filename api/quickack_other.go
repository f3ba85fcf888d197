//go:build !linux

package api

import "net"

// quickAck does nothing: other systems have no such option.
func quickAck(net.Conn) func() { return func() {} }
