package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/audit"
)

// origin says who sent a request from where, for the audit log; l is nil when nobody has authenticated.
func origin(from client, requestID string, l *identity.Login) audit.Origin {
	o := audit.Origin{Address: from.addr.String(), RequestID: requestID}
	if l != nil {
		o.Actor, o.Credential = l.Principal, l.Credential()
	}
	return o
}

// note notes what a request came to, in the audit log.
func (s *Server) note(c *fiber.Ctx, l *identity.Login, e audit.Event) {
	o := origin(clientOf(c), requestID(c), l)
	s.engine.Audit().Note(e.From(o, o.Actor))
}

// record is note of what may not be lost: it waits for the disk, and fails without it.
func (s *Server) record(c *fiber.Ctx, by kalam.Principal, credential string, e audit.Event) error {
	o := audit.Origin{Actor: by, Credential: credential, Address: clientOf(c).addr.String(), RequestID: requestID(c)}
	e.Outcome = audit.OK
	return s.engine.Audit().Append(s.base, e.From(o, by))
}

// actingFor returns the principal in force of a request, which may name a user to act for.
func (s *Server) actingFor(c *fiber.Ctx, l *identity.Login) (kalam.Principal, error) {
	target := c.Get(headerActingUser)
	as, err := s.actFor(l.Principal, target)
	e := audit.Event{Action: audit.ActionActFor, Outcome: audit.OK, Subject: string(as.User)}
	switch {
	case err != nil:
		e.Outcome, e.Subject = audit.Denied, string([]byte(target)) // The header's memory is reused.
	case as == l.Principal:
		return as, nil
	}
	s.note(c, l, e)
	return as, err
}

// note notes what a message came to, in the audit log; who is nil when nobody has authenticated.
func (k *socket) note(who *login, e audit.Event) {
	if who == nil {
		who = &login{}
	}
	k.server.engine.Audit().Note(e.From(origin(k.client, "", who.proof), who.principal))
}
