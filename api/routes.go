package api

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/kalamlake/kalam/api/console"
	"github.com/kalamlake/kalam/api/openapi"
	"github.com/kalamlake/kalam/api/profile"
	"github.com/kalamlake/kalam/link/wire"
)

// routes registers the endpoints.
func (s *Server) routes(app *fiber.App) {
	v := app.Group("/" + s.config.Server.APIVersion)
	v.Post(wire.PathSQL, s.handleSQL)
	v.Post(wire.PathLogin, s.handleLogin)
	v.Post(wire.PathRefresh, s.handleRefresh)
	v.Post(wire.PathToken, s.handleToken)
	v.Post(wire.PathLogout, s.handleLogout)
	v.Post(wire.PathSetup, s.handleSetup)
	v.Get(wire.PathMe, s.handleMe)
	v.Get(wire.PathStatus, s.handleStatus)
	v.Get(wire.PathHealthcheck, s.handleHealth)
	v.Get(wire.PathHealth, s.handleHealth)
	v.Get(wire.PathClusterHealth, s.handleClusterHealth)
	v.Get(wire.PathExports+"/:user/:id", s.handleExport)
	v.Get(wire.PathWebSocket, s.handleWebSocket)
	app.Get(wire.PathHealth, s.handleHealth)
	app.Get(wire.PathReady, s.handleReady)
	v.Get(wire.PathReady, s.handleReady)
	description := openapi.Document(s.config.Server.APIVersion)
	v.Get(wire.PathOpenAPI, func(c *fiber.Ctx) error { return sendJSON(c, fiber.StatusOK, description) })
	if s.config.Metrics.Enabled {
		app.Get(wire.PathMetrics, s.metricsHandler())
	}
	app.Get(profile.Path+"/:name", s.profileHandler())
	if s.console != nil {
		page := adaptor.HTTPHandler(s.console)
		app.Get(console.Path, page)
		app.Get(console.Path+"/*", page)
	}
}

// enter is what every request passes first: its id is echoed, addresses that
// send too much are turned away, and a panic becomes an internal error.
func (s *Server) enter(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic in a request", slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			c.Context().SetConnectionClose()
			err = s.handleError(c, fmt.Errorf("panic: %v", r))
		}
	}()
	if id := requestID(c); id != "" {
		c.Response().Header.Set(fiber.HeaderXRequestID, id)
	}
	if hasBody(c) {
		// Taken back by whoever reads the body to its end; otherwise the rest of
		// it would be taken for the next request.
		c.Context().SetConnectionClose()
		setLinger(c, true)
	}
	if code, wait := s.limits.request(clientOf(c).addr); code != "" {
		return s.refuseRate(c, code, wait)
	}
	return c.Next()
}

// refuseRate answers an address that sends too much.
func (s *Server) refuseRate(c *fiber.Ctx, code string, wait time.Duration) error {
	s.rejected(fiber.StatusTooManyRequests, code)
	e := wire.PlainError{Error: code, Message: "Too many requests from your IP address",
		RetryAfterSeconds: retrySeconds(wait)}
	if code == codeBanned {
		e.Message = "Your IP has been temporarily banned due to excessive requests"
	} else {
		c.Response().Header.Set("X-RateLimit-Reset", fmt.Sprint(e.RetryAfterSeconds))
	}
	return plain(c, fiber.StatusTooManyRequests, e)
}
