package main

import (
	"fmt"
	"net"
	"strconv"
)

// listenMetrics binds the address for metrics, nil for none.
func listenMetrics(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	ln, err := listen(host, n)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	return ln, nil
}

// listen binds the port. Its error names who has it already.
func listen(host string, port int) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	switch {
	case addressInUse(err):
		//nolint:staticcheck // The text is part of the interface.
		return nil, fmt.Errorf("Port %d is already in use by %s", port, portHolder(port))
	case err != nil:
		return nil, fmt.Errorf("listen: %w", err)
	}
	return ln, nil
}
