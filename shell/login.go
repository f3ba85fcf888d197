package shell

import (
	"context"
	"errors"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
)

// login shows that the credentials are good. If there are none, or stored ones that
// have expired, and the server wants some, ask, if not nil, reads them.
func (s *session) login(ctx context.Context, ask edit.Asker) error {
	err := s.identify(ctx)
	if link.KindOf(err) != link.KindAuthentication || ask == nil {
		return err
	}
	if s.auth.IsZero() || link.CodeOf(err) == codeSetup {
		switch done, serr := s.setUp(ctx, ask); {
		case serr != nil:
			return serr
		case done:
			return s.identify(ctx)
		}
	}
	if !s.auth.IsZero() && !s.auth.IsSession() {
		return err
	}
	if s.auth.IsSession() {
		s.remark("The stored credentials are not good any more: %s", s.explain(err))
	}
	if err := s.askPassword(ask); err != nil {
		return err
	}
	return s.identify(ctx)
}

// unreachable reports whether there was no answer.
func unreachable(err error) bool {
	return link.KindOf(err) == link.KindConnection || link.KindOf(err) == link.KindTimeout
}

func (s *session) unreachable(err error) {
	s.remark("Connection failed: cannot reach %s\n  %v\n"+
		"Is kalamd running there? Choose another server with --url, or --host and --port.", s.client.URL(), err)
}

// identify runs a statement, which tells who the server takes the user for.
func (s *session) identify(ctx context.Context) error {
	res, err := s.client.Query(ctx, "SELECT 1")
	if err != nil {
		return err
	}
	s.user = s.config.User
	if len(res.Results) > 0 && res.Results[0].AsUser() != "" {
		s.user = res.Results[0].AsUser()
	}
	return nil
}

// askPassword replaces the client by one that logs in. A user that was not named is
// asked for too.
func (s *session) askPassword(ask edit.Asker) error {
	user := s.config.User
	if user == "" {
		user = s.config.file.User
		typed, err := ask("User ["+format.Escape(user)+"]: ", true)
		if err != nil {
			return err
		}
		if typed = strings.TrimSpace(typed); typed != "" {
			user = typed
		}
	}
	password, err := ask("Password for "+format.Escape(user)+": ", false)
	if err != nil {
		return err
	}
	return s.loginAs(user, password)
}

// loginAs replaces the client by one that logs in.
func (s *session) loginAs(user, password string) error {
	auth := link.Password(user, password)
	client, err := s.config.clientAs(auth)
	if err != nil {
		return err
	}
	s.client.Close()
	s.client, s.auth = client, auth
	return nil
}

// codeSetup is the code of a login at a server that has no passwords yet.
const codeSetup = "setup_required"

// setUp offers to set up a server that has no passwords yet, and logs in as its first
// administrator. done is false for a server that needs none, or does not say so here.
func (s *session) setUp(ctx context.Context, ask edit.Asker) (done bool, err error) {
	if needs, err := s.client.NeedsSetup(ctx); err != nil || !needs {
		return false, nil //nolint:nilerr // The error of the login says more.
	}
	answer, err := ask("This server has no passwords yet. Set them now? [Y/n] ", true)
	if err != nil || strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "n") {
		return false, err
	}
	var setup link.Setup
	for setup.User == "" {
		name, err := ask("Name of the first administrator: ", true)
		if err != nil {
			return false, err
		}
		setup.User = strings.TrimSpace(name)
	}
	if setup.Password, err = s.newPassword(ask, setup.User); err != nil {
		return false, err
	}
	if setup.RootPassword, err = s.newPassword(ask, "root"); err != nil {
		return false, err
	}
	if err := s.client.Setup(ctx, setup); err != nil {
		return false, err
	}
	s.remark("The server is set up.")
	return true, s.loginAs(setup.User, setup.Password)
}

// newPassword asks for a password twice, until both are alike.
func (s *session) newPassword(ask edit.Asker, user string) (string, error) {
	for {
		first, err := ask("New password for "+format.Escape(user)+": ", false)
		if err != nil {
			return "", err
		}
		again, err := ask("The same again: ", false)
		switch {
		case err != nil:
			return "", err
		case first == "":
			return "", errors.New("no password was typed")
		case first == again:
			return first, nil
		}
		s.remark("They differ; try again.")
	}
}
