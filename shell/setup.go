package shell

import (
	"context"
	"errors"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
)

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
