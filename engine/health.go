package engine

import (
	"fmt"
	"strings"
)

// Health says whether the server works as it should.
type Health struct {
	Degraded bool
	Reason   string
}

// Health probes what can fail while the server runs on.
func (e *Engine) Health() Health {
	var reasons []string
	for _, n := range e.failing.list() {
		if t, ok := e.catalog.TableByNumber(n); ok { // A table that was dropped fails no longer.
			reasons = append(reasons, fmt.Sprintf("flush of table %s fails", t.ID))
		}
	}
	if reason := e.segments.Damage().Reason(); reason != "" {
		reasons = append(reasons, reason)
	}
	reasons = append(reasons, e.pair.ShortOfRoom()...)
	return Health{Degraded: len(reasons) > 0, Reason: strings.Join(reasons, "; ")}
}
