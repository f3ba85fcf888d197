package api

import (
	"errors"
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/api/hosts"
	"github.com/kalamlake/kalam/api/origins"
)

// What a refused request for the setup is told, after "Setup is allowed".
var (
	errSetupElsewhere = errors.New("on the server's own machine only (auth.allow_remote_setup)")
	errSetupHost      = errors.New(
		"under the names localhost, 127.0.0.1, [::1] and server.host only (auth.allow_remote_setup)",
	)
	errSetupOrigin = errors.New("to pages of this server and of server.cors_origins only")
)

// checkSetup refuses a request that may not see or do the setup. It comes from this
// machine; but so does one that a page of somebody else sends, in a browser of this
// machine. Therefore the name that the server is called by must be one of this machine:
// a page gets another to point here (DNS rebinding). And the page must be the server's
// own, or one that may call it.
func (s *Server) checkSetup(c *fiber.Ctx) error {
	host := string(c.Request().Header.Host())
	if !s.config.Auth.AllowRemoteSetup {
		switch {
		case !clientOf(c).local:
			return errSetupElsewhere
		case !hosts.IsHome(host, s.config.Server.Host):
			return errSetupHost
		}
	}
	if origins := c.Request().Header.PeekAll(fiber.HeaderOrigin); len(origins) > 1 ||
		len(origins) == 1 && !s.isOwnOrigin(string(origins[0]), host) {
		return errSetupOrigin
	}
	return nil
}

// isOwnOrigin reports whether a page of the origin may call the setup under host: one
// that came from there, or that server.cors_origins names.
func (s *Server) isOwnOrigin(origin, host string) bool {
	if origin != "*" && slices.Contains(s.config.Server.CORSOrigins, origin) {
		return true
	}
	return origins.IsFrom(origin, host)
}
