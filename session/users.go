package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/accounts"
)

// accounts returns what carries out statements on users.
func (s *Session) accounts() *accounts.Accounts {
	return &accounts.Accounts{Catalog: s.Catalog, Live: s.server.Hub, Purges: s.server.Maintenance}
}

// wrote answers a statement that changed n rows outside of the buffer, unless err says that it did not.
func (s *Session) wrote(word string, n int64, err error) error {
	if err != nil {
		return err
	}
	return s.message(n, fmt.Sprintf("%s %d row(s)", word, n))
}

// said answers with a text, unless err says that it came to none.
func (s *Session) said(text string, err error) error {
	if err != nil {
		return err
	}
	return s.message(0, text)
}

func (s *Session) createUser(ctx context.Context, st *ast.CreateUser) error {
	return s.said(s.accounts().Create(ctx, s.Principal, st))
}

func (s *Session) alterUser(ctx context.Context, st *ast.AlterUser) error {
	text, err := s.accounts().Alter(ctx, s.Principal, st)
	if err == nil && st.Storage != nil {
		return s.moveUser(ctx, st.User, text)
	}
	return s.said(text, err)
}

func (s *Session) dropUser(ctx context.Context, st *ast.DropUser) error {
	text, jobs, err := s.accounts().Drop(ctx, s.Principal, st)
	if err != nil {
		return err
	}
	return s.ordered(text, jobs...)
}

func (s *Session) restoreUser(ctx context.Context, st *ast.RestoreUser) error {
	return s.said(s.accounts().Restore(ctx, s.Principal, st))
}
