package engine

import "strings"

// Health says whether the server works as it should.
type Health struct {
	Degraded bool
	Reason   string
}

// Health probes what can fail while the server runs on.
func (e *Engine) Health() Health {
	reasons := e.maintain.Degraded()
	return Health{Degraded: len(reasons) > 0, Reason: strings.Join(reasons, "; ")}
}
