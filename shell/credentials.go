package shell

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/settings"
)

// defaultInstance is the name under which tokens are kept when none is given.
const defaultInstance = "local"

// credentials returns the file of tokens, nil without a home to keep it in.
func (c Config) credentials() *settings.Credentials {
	for _, name := range []string{"KALAM_CREDENTIALS_PATH", "KALAMDB_CREDENTIALS_PATH"} {
		if path := c.Getenv(name); path != "" {
			return settings.OpenCredentials(path)
		}
	}
	if dir := c.directory(); dir != "" {
		return settings.OpenCredentials(filepath.Join(dir, settings.CredentialsName))
	}
	return nil
}

// instance returns the name under which tokens are kept.
func (c Config) instance() string {
	if c.Instance == "" {
		return defaultInstance
	}
	return c.Instance
}

// stored returns the tokens that are kept of a server, the zero Auth if there are none
// or they are of another server or user: a token must not reach a stranger.
func (c Config) stored(address string) (link.Auth, error) {
	store := c.credentials()
	if store == nil {
		return link.Auth{}, nil
	}
	i, ok, err := store.Get(c.instance())
	if err != nil || !ok || i.ServerURL != strings.TrimRight(address, "/") || c.User != "" && c.User != i.User {
		return link.Auth{}, err
	}
	auth, err := link.Session(tokensOf(i))
	if err != nil {
		return auth, fmt.Errorf("%s: %s: %w", store.Path(), c.instance(), err)
	}
	c.kept.Store(true)
	return auth, nil
}

// storedURL returns the server of an instance that was named, "" if there is none.
func (c Config) storedURL() string {
	store := c.credentials()
	if c.Instance == "" || store == nil {
		return ""
	}
	i, _, err := store.Get(c.Instance)
	if err != nil {
		return "" // Config.stored tells it.
	}
	return i.ServerURL
}

// renew renews stored tokens, see link.Options.Renew. Another shell may have been
// faster: a refresh token works once.
func (c Config) renew(ctx context.Context, old link.Tokens,
	refresh func(context.Context) (link.Tokens, error)) (got link.Tokens, err error) {
	store := c.credentials()
	if store == nil || !c.kept.Load() {
		return refresh(ctx)
	}
	asked := false
	err = store.Update(c.instance(), func(i settings.Instance) (settings.Instance, error) {
		asked = true
		if string(i.Token) != old.Access && i.User == old.User && i.Token != "" {
			got = tokensOf(i)
			return i, nil
		}
		if got, err = refresh(ctx); err != nil {
			return i, err
		}
		return instanceOf(got, i.ServerURL), nil
	})
	if got.Access == "" && !asked { // The file cannot be used; the session goes on without it.
		return refresh(ctx)
	}
	if got.Access != "" {
		err = nil // Only the file failed.
	}
	return got, err
}

// save keeps the tokens of the session's login.
func (s *session) save() error {
	tokens, ok := s.client.Tokens()
	store := s.config.credentials()
	switch {
	case !ok || tokens.Refresh == "":
		return errors.New("only the tokens of a login can be kept: give --user and a password")
	case store == nil:
		return errors.New("HOME is not set: there is no place to keep credentials")
	}
	err := store.Update(s.config.instance(), func(settings.Instance) (settings.Instance, error) {
		return instanceOf(tokens, s.client.URL()), nil
	})
	s.config.kept.Store(err == nil)
	return err
}

// metaCredentials shows what is stored, without its secrets.
func (s *session) metaCredentials(context.Context, string) error {
	store := s.config.credentials()
	if store == nil {
		return errors.New("HOME is not set: no credentials are kept")
	}
	names, err := store.Names()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		s.remark("No credentials are stored. --save-credentials stores the tokens of a login.")
	}
	for _, name := range names {
		i, _, err := store.Get(name)
		if err != nil {
			return err
		}
		until := "when its token is refused"
		if i.RefreshExpiresAt != "" {
			until = i.RefreshExpiresAt
		}
		s.remark("%s: %s as %s, token %s, good until %s", name, i.ServerURL, i.User, i.Token, until)
	}
	return nil
}

// metaSaveCredentials stores the tokens of this session.
func (s *session) metaSaveCredentials(context.Context, string) error {
	if err := s.save(); err != nil {
		return err
	}
	s.remark("Credentials stored as %s.", s.config.instance())
	return nil
}

// metaDeleteCredentials forgets what is stored of an instance.
func (s *session) metaDeleteCredentials(_ context.Context, name string) error {
	store := s.config.credentials()
	if store == nil {
		return errors.New("HOME is not set: no credentials are kept")
	}
	if name == "" {
		name = s.config.instance()
	}
	if _, ok, err := store.Get(name); err != nil || !ok {
		return errors.Join(err, fmt.Errorf("nothing is stored as %s", name))
	}
	if err := store.Delete(name); err != nil {
		return err
	}
	s.remark("Credentials of %s deleted.", name)
	return nil
}

// instanceOf is what is stored of tokens.
func instanceOf(t link.Tokens, address string) settings.Instance {
	return settings.Instance{
		Token: settings.Secret(t.Access), RefreshToken: settings.Secret(t.Refresh), User: t.User, ServerURL: address,
		ExpiresAt: timeText(t.Expires), RefreshExpiresAt: timeText(t.RefreshExpires),
	}
}

func tokensOf(i settings.Instance) link.Tokens {
	t := link.Tokens{User: i.User, Access: string(i.Token), Refresh: string(i.RefreshToken)}
	t.Expires, _ = time.Parse(time.RFC3339Nano, i.ExpiresAt)               // Unknown if it cannot be read.
	t.RefreshExpires, _ = time.Parse(time.RFC3339Nano, i.RefreshExpiresAt) // As above.
	return t
}

// timeText is a time for the file, "" for none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
