package api

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// What a refused request for the setup is told, after "Setup is allowed".
var (
	errSetupElsewhere = errors.New("on the server's own machine only (auth.allow_remote_setup)")
	errSetupHost      = errors.New("under the names localhost, 127.0.0.1, [::1] and server.host only (auth.allow_remote_setup)")
	errSetupOrigin    = errors.New("to pages of this server and of server.cors_origins only")
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
		case !isHome(host, s.config.Server.Host):
			return errSetupHost
		}
	}
	if origins := c.Request().Header.PeekAll(fiber.HeaderOrigin); len(origins) > 1 ||
		len(origins) == 1 && !s.isOwnOrigin(string(origins[0]), host) {
		return errSetupOrigin
	}
	return nil
}

// isHome reports whether host, which may have a port, is a loopback address, localhost,
// or the configured one.
func isHome(host, configured string) bool {
	name := hostname(host)
	if a, err := netip.ParseAddr(name); err == nil && a.Unmap().IsLoopback() {
		return true
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	if a, err := netip.ParseAddr(hostname(configured)); err == nil && a.IsUnspecified() {
		return false // It is no name of this machine.
	}
	return name != "" && strings.EqualFold(name, hostname(configured))
}

// hostname returns host without its port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// isOwnOrigin reports whether a page of the origin may call the setup under host: one
// that came from there, or that server.cors_origins names.
func (s *Server) isOwnOrigin(origin, host string) bool {
	if origin != "*" && slices.Contains(s.config.Server.CORSOrigins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, host) && u.User == nil
}
