package link

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kalamlake/kalam/link/wire"
)

// Health is how a server says it is.
type Health struct {
	Status        string // "healthy", "degraded" or "shutting_down".
	Version       string
	APIVersion    string
	BuildDate     string
	UptimeSeconds int64
	Metrics       *Metrics // nil unless the server shows them to this caller.
}

// Metrics are figures of the moment.
type Metrics struct {
	ActiveConnections   int64
	ActiveSubscriptions int64
	QueriesPerSecond    float64
}

// Health asks the server how it is. It needs no credentials and does not log in,
// but sends those that are at hand. A server that is stopping answers too.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	parent := ctx
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var h *Health
	err := c.retry(parent, ctx, "health check", func() (bool, error) {
		a, err := c.do(ctx, call{method: http.MethodGet, path: wire.PathHealthcheck, login: c.credentials.current.Load()})
		if err != nil {
			return Unsent(err), err
		}
		h, err = decodeHealth(a)
		return false, err
	})
	return h, err
}

func decodeHealth(a answer) (*Health, error) {
	var w wire.Health
	err := json.Unmarshal(a.body, &w)
	if a.status != http.StatusOK && (err != nil || w.Status == "") {
		return nil, plainError(a)
	}
	if err != nil {
		return nil, wrap(KindSerialization, err, "health answer")
	}
	h := &Health{Status: w.Status, Version: w.Version, APIVersion: w.APIVersion, BuildDate: w.BuildDate,
		UptimeSeconds: w.UptimeSeconds}
	if w.ActiveConnections != nil || w.ActiveSubscriptions != nil || w.QueriesPerSecond != nil {
		h.Metrics = &Metrics{ActiveConnections: value(w.ActiveConnections), ActiveSubscriptions: value(w.ActiveSubscriptions),
			QueriesPerSecond: value(w.QueriesPerSecond)}
	}
	return h, nil
}

// value returns what p points to, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
