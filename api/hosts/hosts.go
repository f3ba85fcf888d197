// Package hosts compares the names that a server is called by.
package hosts

import (
	"net"
	"net/netip"
	"strings"
)

// IsHome reports whether host, which may have a port, is a loopback address, localhost,
// or the configured one.
func IsHome(host, configured string) bool {
	name := hostname(host)
	if a, err := netip.ParseAddr(name); err == nil && a.Unmap().IsLoopback() {
		return true
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	if a, err := netip.ParseAddr(hostname(configured)); err == nil && a.IsUnspecified() {
		return false // It is no name of this machine.
	}
	return name != "" && strings.EqualFold(name, hostname(configured))
}

// hostname returns host without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
