package api

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/kalamlake/kalam/api/hosts"
	"github.com/kalamlake/kalam/api/profile"
	"github.com/kalamlake/kalam/link/wire"
)

// metricsHandler answers GET metrics, to this machine and to admins.
func (s *Server) metricsHandler() fiber.Handler {
	handle := adaptor.HTTPHandler(s.engine.Metrics().Handler())
	return func(c *fiber.Ctx) error {
		// A page that has another name point here (DNS rebinding) comes from this machine, too, but not by its name.
		home := hosts.IsHome(string(c.Request().Header.Host()), s.config.Server.Host)
		if !(clientOf(c).local && home) && !s.isAdmin(c) {
			return plain(c, fiber.StatusForbidden, wire.PlainError{Error: "forbidden",
				Message: "Metrics are for the server's own machine and for admins (metrics.listen)"})
		}
		return handle(c)
	}
}

// profileHandler answers GET debug/pprof, to admins from this machine.
func (s *Server) profileHandler() fiber.Handler {
	handle := adaptor.HTTPHandler(profile.Handler(s.base))
	return func(c *fiber.Ctx) error {
		if !clientOf(c).local || !s.isAdmin(c) {
			return plain(c, fiber.StatusForbidden, wire.PlainError{Error: "forbidden",
				Message: "Profiles are for admins, from the server's own machine"})
		}
		return handle(c)
	}
}

// rejected counts an answer that refuses something for lack of means, and not for what was asked; reason is a code of
// the interface.
func (s *Server) rejected(status int, reason string) {
	if status == fiber.StatusTooManyRequests || status == fiber.StatusServiceUnavailable {
		s.engine.Observed().Rejected(status, reason)
	}
}
