package engine

import (
	"time"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/session"
)

// Reload puts a configuration in force of which only keys differ that a running server can change, see
// config.Config.Take. It bounds the statements that begin from now on, and is what system.settings shows.
func (e *Engine) Reload(cfg config.Config) {
	e.sessions.Bound(limitsOf(&cfg))
	e.inForce.Store(&cfg)
}

// limitsOf returns the bounds of statements in a configuration.
func limitsOf(c *config.Config) session.Limits {
	return session.Limits{
		Statement: c.Query.Timeout(), Request: c.Query.RequestTimeout(),
		SlowStatement: time.Duration(c.Log.SlowQueryMS) * time.Millisecond,
		ResultRows:    c.Limits.MaxResultRows, RowBytes: c.Limits.MaxRowBytes,
	}
}
