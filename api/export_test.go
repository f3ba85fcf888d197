package api

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/session"
)

// ExecutorFunc runs statements in place of the engine.
type ExecutorFunc func(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error

// Execute calls f.
func (f ExecutorFunc) Execute(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error {
	return f(ctx, p, r, out)
}

// SetExecutor replaces the engine as executor. Call it before Serve.
func (s *Server) SetExecutor(f ExecutorFunc) { s.exec = f }

// Routes returns "METHOD path" of each route but those of HEAD, with {name} for a parameter and {file} for the rest.
func (s *Server) Routes() (list []string) {
	for _, r := range s.app.GetRoutes(true) {
		if r.Method == fiber.MethodHead {
			continue
		}
		path := strings.ReplaceAll(r.Path, "*", "{file}")
		list = append(list, r.Method+" "+regexp.MustCompile(`:(\w+)`).ReplaceAllString(path, "{$1}"))
	}
	return list
}

// SetSocketTimes replaces the intervals of sockets. Call it before Serve.
func (s *Server) SetSocketTimes(auth, client, heartbeat time.Duration) {
	s.times = socketTimes{auth: auth, client: client, heartbeat: heartbeat}
}

// DecodeRequest exposes the decoder of requests.
func DecodeRequest(body []byte) (sql string, params []kalam.Value, ns kalam.NamespaceID, err error) {
	r, err := decodeRequest(body)
	return r.sql, r.params, r.namespace, err
}

// Exposed for tests of their own.
var (
	TokenSecret = identity.Secret
	Outcome     = func(c kalam.Code) (code string, status int, kind string) {
		o := outcomeOf(c)
		return string(o.code), o.status, o.kind
	}
)

// NumOutcomes is the number of codes that the table of errors has.
func NumOutcomes() int { return len(outcomes) }

// Identity returns what the server knows credentials by.
func (s *Server) Identity() *identity.Service { return s.identity }
