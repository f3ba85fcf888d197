package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/activity"
	"github.com/kalamlake/kalam/api/console"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/api/origins"
	"github.com/kalamlake/kalam/config"
)

// New returns a server over an open engine. The error says which configuration
// key is at fault, or that the token secret cannot be read or kept.
func New(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	cfg := o.Engine.Config()
	if err := checkVersion(cfg.Server.APIVersion); err != nil {
		return nil, err
	}
	if err := origins.List(cfg.Server.CORSOrigins).Check(); err != nil {
		return nil, err
	}
	secret, err := identity.Secret(cfg)
	if err != nil {
		return nil, err
	}
	life := time.Duration(cfg.Auth.JWTExpiryHours) * time.Hour
	s := &Server{
		engine: o.Engine, exec: o.Engine, config: cfg, log: o.Logger, version: o.Version, now: o.Now, drain: o.Drain,
		active: activity.NewRequests(), sockets: newSockets(), producers: &producers{}, rate: activity.NewRate(o.Now),
		times: socketTimesOf(cfg.WebSocket),
	}
	s.base, s.cancel = context.WithCancelCause(context.Background())
	s.identity, err = identity.New(identity.Options{
		Catalog: o.Engine.Catalog(), Secret: secret, Issuer: cfg.Auth.JWTIssuer, Life: life, Now: o.Now,
		Auth: cfg.Auth, Logger: o.Logger, Context: s.base,
	})
	if err != nil {
		return nil, err
	}
	if s.limits, err = newLimits(cfg.RateLimit, o.Now, s.rejected); err != nil {
		return nil, err
	}
	if cfg.UI.Enabled {
		if s.console, err = console.New(cfg.Server.APIVersion); err != nil {
			return nil, err
		}
	}
	s.upgrade = s.upgrader()
	s.app = s.newApp()
	return s, nil
}

// CheckConfig tells of every key whose value New would refuse, as far as that can be known without a server.
func CheckConfig(cfg config.Config) (list []error) {
	for _, err := range []error{
		checkVersion(cfg.Server.APIVersion), origins.List(cfg.Server.CORSOrigins).Check(), identity.CheckSecret(cfg),
	} {
		if err != nil {
			list = append(list, err)
		}
	}
	return list
}

// Reload puts the rate limits of a configuration in force.
func (s *Server) Reload(cfg config.Config) { s.limits.reload(cfg.RateLimit) }

// newApp makes the fiber app with its routes.
func (s *Server) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		AppName: "kalamd", DisableStartupMessage: true, ErrorHandler: s.handleError,
		// Bodies are read by the handlers, after the check of who sent them.
		StreamRequestBody: true, DisablePreParseMultipartForm: true, BodyLimit: bodyLimit(s.config),
		ReadTimeout: readTimeout, IdleTimeout: idleTimeout, ReadBufferSize: 16 << 10,
		CaseSensitive: true,
	})
	app.Use(s.enter)
	app.Use(s.checkPreflight)
	if list := s.config.Server.CORSOrigins; len(list) > 0 {
		app.Use(cors.New(cors.Config{
			AllowOrigins: strings.Join(list, ","), MaxAge: 3600,
			AllowMethods: "GET,POST,OPTIONS",
			AllowHeaders: "Authorization,Content-Type,Accept,Origin,X-Requested-With,X-Request-ID,X-User-ID,X-API-Key",
		}))
	}
	s.routes(app)
	return app
}

// checkPreflight refuses what a browser asks for a page of another origin, in words: the answer without the headers of
// CORS would be as good for the browser, and no help for who wrote the page.
func (s *Server) checkPreflight(c *fiber.Ctx) error {
	if c.Method() != fiber.MethodOptions || s.originAllowed(c) {
		return c.Next()
	}
	return s.refuseOrigin(c)
}

// checkVersion reports a prefix that is no plain segment of a path.
func checkVersion(v string) error {
	for _, c := range []byte(v) {
		if !(c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return kalam.Errorf(kalam.CodeInvalidInput,
				"configuration key server.api_version: '%s' may only hold letters, digits, '-' and '_'", v)
		}
	}
	return nil
}

// Serve answers the connections of ln until ctx ends, then stops in order: new
// requests are refused with SHUTTING_DOWN, WebSockets are closed with 1001,
// running requests have server.shutdown_grace_seconds to finish and are then
// cancelled, Options.Drain is called, and the listener is closed. It returns nil
// after a stop, however many requests had to be cancelled.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watchCredentials()
	}()
	defer func() { <-watched }() // It ends with the statements, in stop.
	served := make(chan error, 1)
	wrapped := newListener(ln, s.limits)
	go func() { served <- s.app.Listener(wrapped) }()
	var failure error
	select {
	case failure = <-served:
		served <- nil
		if failure == nil {
			failure = errors.New("the listener was closed")
		}
		failure = fmt.Errorf("serve %s: %w", ln.Addr(), failure)
	case <-ctx.Done():
	}
	err := s.stop(wrapped)
	// The listener may be closed already.
	_ = wrapped.Close()
	return errors.Join(failure, err, <-served)
}

// keyUses is how often the uses of API keys are made durable.
const keyUses = time.Minute

// watchCredentials ends what is under way when its credentials end, and stores the
// uses of API keys, until the server stops.
func (s *Server) watchCredentials() {
	uses := time.NewTicker(keyUses)
	defer uses.Stop()
	for {
		ended := s.engine.Catalog().TokensEnded()
		s.endInvalid()
		select {
		case <-ended:
		case <-uses.C:
			if err := s.engine.Catalog().WriteKeyUses(s.base); err != nil {
				s.log.Warn("uses of API keys are not stored", slog.Any("error", err))
			}
		case <-s.base.Done():
			return
		}
	}
}

// stop ends everything but the listener, which it closes at the end.
//
//nolint:contextcheck // The context of the server has ended: that is why it stops.
func (s *Server) stop(ln *listener) error {
	err := s.finish(ln)
	if s.drain != nil {
		if drained := s.drain(context.Background()); drained != nil {
			err = errors.Join(err, fmt.Errorf("drain: %w", drained))
		}
	}
	// What is left are connections on which nothing was asked.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if shut := s.app.ShutdownWithContext(ctx); shut != nil && !errors.Is(shut, context.DeadlineExceeded) {
		err = errors.Join(err, fmt.Errorf("close the server: %w", shut))
	}
	ln.cutAll()
	s.producers.close()
	return err
}

// finish refuses new requests, waits for the running ones and ends the sockets.
// Requests that outlast the grace are cancelled, then cut off.
func (s *Server) finish(ln *listener) error {
	idle := s.active.Refuse()
	s.sockets.closeAll(goingAway)
	defer s.sockets.wait()
	stopping := kalam.Errorf(kalam.CodeShuttingDown, "server is shutting down")
	defer s.cancel(stopping)
	if ends(idle, time.Duration(s.config.Server.ShutdownGrace)*time.Second) {
		return nil
	}
	s.log.Warn("requests were cancelled", slog.Int("requests", s.active.Count()))
	s.cancel(stopping)
	if ends(idle, cutoff) {
		return nil
	}
	ln.cutAll()
	if ends(idle, cutoff) {
		return nil
	}
	return fmt.Errorf("%d requests do not end", s.active.Count())
}

// ends waits until c is closed, at most for d.
func ends(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}
