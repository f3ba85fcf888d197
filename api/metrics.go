package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	"github.com/kalamlake/kalam/link/wire"
)

// metricsHandler answers GET metrics, to this machine and to admins.
func (s *Server) metricsHandler() fiber.Handler {
	handle := adaptor.HTTPHandler(s.engine.Metrics().Handler())
	return func(c *fiber.Ctx) error {
		// A page that has another name point here (DNS rebinding) comes from this machine, too, but not by its name.
		home := isHome(string(c.Request().Header.Host()), s.config.Server.Host)
		if !(clientOf(c).local && home) && !s.isAdmin(c) {
			return plain(c, fiber.StatusForbidden, wire.PlainError{Error: "forbidden",
				Message: "Metrics are for the server's own machine and for admins (metrics.listen)"})
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

// Times of the listener for metrics.
const (
	metricsHeader = 5 * time.Second  // To send a request.
	metricsWrite  = 30 * time.Second // To take the answer.
)

// ServeMetrics answers GET /metrics on a listener of its own, to whoever reaches it, until ctx ends. It returns nil
// then, and the listener is closed.
func (s *Server) ServeMetrics(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET "+wire.PathMetrics, s.engine.Metrics().Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: metricsHeader, ReadTimeout: metricsHeader, WriteTimeout: metricsWrite,
		MaxHeaderBytes: 16 << 10, ErrorLog: nil,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve tells of it.
	defer stop()
	err := server.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics on %s: %w", ln.Addr(), errors.Join(err, server.Close()))
}
