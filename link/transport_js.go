//go:build js

package link

import "net/http"

// newTransport returns a transport over the browser's fetch, which pools
// connections itself.
func newTransport() *http.Transport { return &http.Transport{} }

// platformHeader makes fetch refuse redirects, which it would follow to any
// host.
func platformHeader(h http.Header) { h.Set("js.fetch:redirect", "error") }
