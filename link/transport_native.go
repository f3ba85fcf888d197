//go:build !js

package link

import (
	"net"
	"net/http"
	"time"
)

// Sizes of the connection pool. A server closes idle connections after 75 s.
const (
	maxIdleConns = 512
	idleTimeout  = 60 * time.Second
	dialTimeout  = 10 * time.Second
	ioBuffer     = 32 << 10
)

// newTransport returns the connection pool of a Client.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: dialTimeout,
		MaxIdleConns:        maxIdleConns,
		MaxIdleConnsPerHost: maxIdleConns,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // Results are short or local; gzip costs more than it saves.
		ReadBufferSize:      ioBuffer,
		WriteBufferSize:     ioBuffer,
	}
}

// platformHeader is what a request needs besides; nothing here.
func platformHeader(http.Header) {}
