package shell

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/format"
)

// metaConnect connects to another server or as another user. Only when that answers is
// the old connection given up.
func (s *session) metaConnect(ctx context.Context, args string) error {
	if s.open != nil {
		return errors.New("a transaction is open; COMMIT or ROLLBACK ends it")
	}
	if args == "" {
		s.remark("Connected to %s as %s.", s.client.URL(), s.user)
		return nil
	}
	c, err := s.target(args)
	if err != nil {
		return err
	}
	next := &session{config: c, err: s.err, printer: s.printer}
	var h *link.Health
	err = s.outside(func() (err error) {
		h, err = next.reach(ctx, s)
		return err
	})
	if err != nil {
		if next.client != nil {
			next.client.Close()
		}
		return fmt.Errorf("%s; still connected to %s", next.explain(err), s.client.URL())
	}
	s.endPaused()
	old := s.client
	s.config, s.client, s.auth, s.user, s.chosen = c, next.client, next.auth, next.user, c.Namespace
	s.server.Store(s.client)
	if s.names != nil {
		s.names.Refresh()
	}
	s.remark("Connected to %s (%s) as %s.", s.client.URL(), versionOf(h), s.user)
	return old.Close()
}

// target is the configuration that the arguments of \connect describe. Credentials
// do not follow to another server or user.
func (s *session) target(args string) (Config, error) {
	c := s.config
	c.URL, c.Host, c.Port, c.Token, c.APIKey, c.Password, c.Namespace = s.client.URL(), "", 0, "", "", nil, ""
	if c.User == "" {
		c.User = s.auth.User()
	}
	f := flag.NewFlagSet(`\connect`, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	host := func(v string) error { c.URL, c.Host = "", v; return nil }
	f.Func("h", "", host)
	f.Func("host", "", host)
	f.StringVar(&c.URL, "url", c.URL, "")
	f.IntVar(&c.Port, "p", 0, "")
	f.IntVar(&c.Port, "port", 0, "")
	f.StringVar(&c.User, "u", c.User, "")
	f.StringVar(&c.User, "user", c.User, "")
	f.StringVar(&c.Token, "token", "", "")
	f.StringVar(&c.APIKey, "apikey", "", "")
	instance := ""
	f.StringVar(&instance, "instance", "", "")
	words, address := strings.Fields(args), ""
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		words, address = words[1:], words[0]
	}
	if err := f.Parse(words); err != nil || f.NArg() > 0 {
		return c, errors.New(`\connect takes ` +
			`[URL|HOST] [-h HOST] [-p PORT] [-u USER] [--token T] [--apikey K] [--instance NAME]`)
	}
	switch {
	case strings.Contains(address, "://"):
		c.URL = address
	case address != "":
		c.URL, c.Host = "", address
	case instance != "" && c.Host == "" && c.URL == s.client.URL():
		c.URL = "" // The instance says where it is.
	case c.Port != 0 && c.Host == "":
		c.URL, c.Host = "", s.client.URL()
	}
	if instance != "" {
		c.Instance = instance
	}
	return c.withDefaults()
}

// reach connects the session and shows that its credentials are good. from is the
// session that goes on if it fails.
func (s *session) reach(ctx context.Context, from *session) (h *link.Health, err error) {
	address, err := s.config.serverURL()
	if err != nil {
		return nil, err
	}
	if s.auth, err = s.config.authFor(address, from); err != nil {
		return nil, err
	}
	if s.client, err = s.config.clientAs(s.auth); err != nil {
		return nil, err
	}
	if h, err = s.client.Health(ctx); unreachable(err) {
		return nil, err
	}
	return h, s.login(ctx, from.ask)
}

// authFor returns the credentials for another connection: those that were given, those
// of the session for the same server and user, those that are kept.
func (c Config) authFor(address string, from *session) (link.Auth, error) {
	same := strings.TrimRight(address, "/") == from.client.URL()
	switch {
	case c.Token != "":
		return jwt("--token", c.Token)
	case c.APIKey != "":
		return link.APIKey(c.APIKey), nil
	case same && (c.User == from.config.User || c.User == from.auth.User() && c.User != ""):
		c.kept.Store(from.config.kept.Load())
		return from.auth, nil
	}
	return c.stored(address)
}

// metaConfig tells what is connected, and how results are shown.
func (s *session) metaConfig(context.Context, string) error {
	s.remark("Server       %s", s.client.URL())
	s.remark("User         %s", s.user)
	s.remark("Namespace    %s", s.namespace())
	s.remark("Credentials  %s", s.authText())
	s.remark("Format       %s", s.printer.Format)
	s.remark("Colour       %s", onOff(s.printer.Color))
	s.remark("Page         %s", counted(s.printer.MaxRows, "row", "rows"))
	s.remark("Times        %s", s.printer.Times)
	switch {
	case s.config.ConfigFile != "":
		s.remark("Settings     %s", s.config.ConfigFile)
	case s.config.directory() != "":
		s.remark("Settings     %s", s.config.directory())
	}
	return nil
}

// authText is the kind of the credentials and until when they are good.
func (s *session) authText() string {
	t, ok := s.client.Tokens()
	if !ok || t.Expires.IsZero() {
		return s.auth.String()
	}
	left := t.Expires.Sub(s.config.Now()).Round(time.Second)
	return fmt.Sprintf("%s, token good until %s (%s)", s.auth, t.Expires.UTC().Format(time.RFC3339), left)
}

// metaInfo tells about the session and its server.
func (s *session) metaInfo(ctx context.Context, _ string) error {
	if err := s.metaConfig(ctx, ""); err != nil {
		return err
	}
	h, err := s.client.Health(ctx)
	if err != nil {
		return err
	}
	s.remark("Version      %s (API %s)", h.Version, h.APIVersion)
	s.remark("Status       %s, up %s", h.Status, time.Duration(h.UptimeSeconds)*time.Second)
	if s.past != nil {
		s.remark("History      %s", counted(len(s.past.Entries()), "entry", "entries"))
	}
	if len(s.variables) > 0 {
		s.remark("Variables    %d", len(s.variables))
	}
	return nil
}

// versionOf is the version of a server.
func versionOf(h *link.Health) string {
	if h == nil || h.Version == "" {
		return "unknown version"
	}
	return "version " + format.Escape(h.Version)
}
