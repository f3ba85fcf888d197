package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/link/wire"
)

// handleReady answers GET ready: 200 when the server does all of what it is for, else 503 with the reasons. Everybody
// learns their codes, this machine and admins what is behind them.
func (s *Server) handleReady(c *fiber.Ctx) error {
	r := wire.Ready{Status: wire.StatusReady}
	if s.active.Refusing() {
		r.Reasons = append(r.Reasons, wire.Reason{Code: wire.ReasonShuttingDown})
	}
	obstacles := s.engine.Obstacles()
	inspect := len(obstacles) > 0 && s.mayInspect(c)
	for _, o := range obstacles {
		reason := wire.Reason{Code: o.Code}
		if inspect {
			reason.Message = o.Text
		}
		r.Reasons = append(r.Reasons, reason)
	}
	c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
	if len(r.Reasons) == 0 {
		return c.JSON(r)
	}
	r.Status = wire.StatusNotReady
	c.Response().Header.Set(fiber.HeaderRetryAfter, "1")
	return c.Status(fiber.StatusServiceUnavailable).JSON(r)
}
