package link

import "time"

// Impatient makes a Client wait d where it would wait 100 ms before a repetition,
// and ping at the given interval.
func Impatient(c *Client, d, keepalive, pongWait time.Duration) {
	c.firstWait, c.keepalive, c.pongWait = d, keepalive, pongWait
}

// Names for tests of what has no other surface.
var (
	SplitRows = splitRows
	ReadOnly  = readOnly
	Backoff   = backoff
	NewPacer  = newPacer
)

// DecodeResponse is decodeResponse.
func DecodeResponse(status int, body []byte) (*Response, error) {
	return decodeResponse(answer{status: status, body: body})
}

// Reserve is pacer.reserve.
func (p *pacer) Reserve(now time.Time) time.Duration { return p.reserve(now) }
