package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/activity"
	"github.com/kalamlake/kalam/api/console"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/session"
)

// Version is what /health and the log say about the build.
type Version struct {
	Version   string
	Commit    string
	Branch    string
	BuildDate string
}

// Options configure a Server. The configuration is the engine's.
type Options struct {
	Engine  *engine.Engine // Open; closed by its owner after Serve has returned.
	Logger  *slog.Logger   // nil discards.
	Version Version
	Now     func() time.Time // nil is time.Now.
	// Drain, if not nil, is called by Serve when it stops: after the last request
	// was answered and before the listener is closed, so that /health tells how
	// the server is until the end. Its context is not that of Serve.
	Drain func(context.Context) error
}

// Times of the server.
const (
	readTimeout = 30 * time.Second // To send a whole request.
	idleTimeout = 75 * time.Second // Between two requests of a connection.
	// cutoff is how long requests have to end when they are cancelled because the
	// grace of a stop is over, and again when their connections are cut.
	cutoff = 2 * time.Second
)

// executor is what runs statements.
type executor interface {
	Execute(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error
}

// Server answers HTTP and WebSocket requests. Serve is called once; everything
// else is its own.
type Server struct {
	engine    *engine.Engine
	exec      executor
	config    config.Config
	log       *slog.Logger
	version   Version
	now       func() time.Time
	drain     func(context.Context) error
	app       *fiber.App
	upgrade   fiber.Handler // Makes a socket of a request.
	identity  *identity.Service
	console   *console.Handler // nil without ui.enabled.
	running   running
	limits    *limits
	active    *activity.Requests
	sockets   *sockets
	producers *producers
	rate      *activity.Rate
	times     socketTimes
	base      context.Context // Of all statements; ended by cancel.
	cancel    context.CancelCauseFunc
}

// bodyLimit is limits.max_body_bytes as an int.
func bodyLimit(c config.Config) int { return int(min(c.Limits.MaxBodyBytes, 1<<30)) }
