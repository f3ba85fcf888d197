package engine

import (
	"context"
	"strings"
	"time"

	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/session"
)

// Reload puts a configuration in force of which only keys differ that a running server can change, see
// config.Config.Take; changed names them, for the audit log. It bounds the statements that begin from now on, and is
// what system.settings shows.
func (e *Engine) Reload(cfg config.Config, changed []string) {
	e.sessions.Bound(limitsOf(&cfg))
	e.inForce.Store(&cfg)
	err := e.audit.Append(context.Background(), audit.Event{Action: audit.ActionReload, Outcome: audit.OK,
		Actor: string(catalog.SystemUser), Details: strings.Join(changed, ", ")})
	if err != nil {
		e.log.Error("the audit log does not tell of the new configuration", "error", err)
	}
}

// limitsOf returns the bounds of statements in a configuration.
func limitsOf(c *config.Config) session.Limits {
	return session.Limits{
		Statement: c.Query.Timeout(), Request: c.Query.RequestTimeout(),
		SlowStatement: time.Duration(c.Log.SlowQueryMS) * time.Millisecond,
		ResultRows:    c.Limits.MaxResultRows, RowBytes: c.Limits.MaxRowBytes,
	}
}
