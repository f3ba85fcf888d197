package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/session/accounts"
	"github.com/kalamlake/kalam/session/credentials"
	"github.com/kalamlake/kalam/session/locations"
)

// accounts returns what carries out statements on users.
func (s *Session) accounts() *accounts.Accounts {
	return &accounts.Accounts{Catalog: s.Catalog, Live: s.server.Hub, Maintenance: s.server.Maintenance}
}

// locations returns what carries out statements on storages.
func (s *Session) locations() *locations.Locations {
	return &locations.Locations{
		Catalog: s.Catalog, Storages: s.server.Storages, InUse: s.server.Maintenance.StorageInUse,
	}
}

// said answers with a text, unless err says that it came to none.
func (s *Session) said(text string, err error) error {
	if err != nil {
		return err
	}
	return s.message(0, text)
}

func (s *Session) alterUser(ctx context.Context, st *ast.AlterUser) error {
	text, moves, err := s.accounts().Alter(ctx, s.Principal, st)
	if err != nil {
		return err
	}
	return s.moving(0, text, moves)
}

// moving answers a statement on users whose files are moved by jobs, none if there is nothing to move.
func (s *Session) moving(n int, text string, moves []kalam.JobID) error {
	if len(moves) > 0 {
		text += ". Files are moved by jobs " + jobs.List(moves)
	}
	return s.done(Done{
		RowCount: int64(n), Message: text, AsUser: s.Principal.User, Statement: s.statement, JobIDs: moves,
	})
}

func (s *Session) dropUser(ctx context.Context, st *ast.DropUser) error {
	text, ids, err := s.accounts().Drop(ctx, s.Principal, st)
	if err != nil {
		return err
	}
	return s.ordered(text, ids...)
}

// credentials runs a statement on API keys, tokens or rights.
func (s *Session) credentials(ctx context.Context, st ast.Statement) error {
	m := credentials.Manager{Catalog: s.Catalog, Access: s.Access, Live: s.server.Hub, Condition: s.CheckPolicy}
	a, err := m.Run(ctx, s.Principal, s.Namespace, st)
	if err != nil || a.Columns == nil {
		return s.said(a.Text, err)
	}
	return s.listing(a.Columns, a.Rows, a.Text)
}
