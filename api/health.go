package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/link/wire"
)

// apiVersion is the version of the protocol, whatever prefix its paths have.
const apiVersion = "v1"

// handleHealth answers the health endpoints: everybody learns whether the server
// is well, this machine and admins also how busy it is.
func (s *Server) handleHealth(c *fiber.Ctx) error {
	status, word := s.health()
	h := wire.Health{
		Status: word, Version: s.version.Version, APIVersion: apiVersion,
		UptimeSeconds: int64(s.now().Sub(s.engine.Started()).Seconds()),
	}
	if s.mayInspect(c) {
		connections, subscriptions, rate := int64(s.limits.connections()), int64(s.engine.Live().Count()), s.rate.PerSecond()
		h.ActiveConnections, h.ActiveSubscriptions, h.QueriesPerSecond = &connections, &subscriptions, &rate
		h.BuildDate, h.Build = s.version.BuildDate, s.build()
		h.Reason, h.Isolation = s.engine.Health().Reason, s.engine.Isolation()
	}
	return c.Status(status).JSON(h)
}

// health returns the HTTP status and the word for how the server is.
func (s *Server) health() (status int, word string) {
	switch {
	case s.active.Refusing():
		return fiber.StatusServiceUnavailable, wire.HealthShuttingDown
	case s.engine.Health().Degraded:
		return fiber.StatusOK, wire.HealthDegraded
	}
	return fiber.StatusOK, wire.HealthHealthy
}

// build returns the build as one text: "0.1.0, commit (branch)".
func (s *Server) build() string {
	return s.version.Version + ", " + s.version.Commit + " (" + s.version.Branch + ")"
}

// mayInspect reports whether a request comes from this machine or an admin.
func (s *Server) mayInspect(c *fiber.Ctx) bool {
	return clientOf(c).local || s.isAdmin(c)
}

// isAdmin reports whether a request comes from somebody who may inspect the server.
func (s *Server) isAdmin(c *fiber.Ctx) bool {
	p, err := s.authenticate(c)
	return err == nil && access.Has(p, access.Inspect)
}

// clusterHealth is what KalamDB's clients ask of a cluster; this is none.
type clusterHealth struct {
	Status        string   `json:"status"`
	Version       string   `json:"version"`
	BuildDate     string   `json:"build_date"`
	IsClusterMode bool     `json:"is_cluster_mode"`
	NodeID        int      `json:"node_id"`
	IsLeader      bool     `json:"is_leader"`
	Nodes         []string `json:"nodes"`
}

func (s *Server) handleClusterHealth(c *fiber.Ctx) error {
	status, word := s.health()
	h := clusterHealth{Status: word, Version: s.version.Version, IsLeader: true, Nodes: []string{}}
	if s.mayInspect(c) {
		h.BuildDate, h.NodeID = s.version.BuildDate, s.config.Server.NodeID
	}
	return c.Status(status).JSON(h)
}

// refuseStopping answers a request that came while the server stops.
func (s *Server) refuseStopping(c *fiber.Ctx) error {
	s.rejected(fiber.StatusServiceUnavailable, string(wire.CodeShuttingDown))
	c.Context().SetConnectionClose()
	return plain(c, fiber.StatusServiceUnavailable, wire.PlainError{
		Error: string(wire.CodeShuttingDown), Message: "Server is shutting down",
	})
}
