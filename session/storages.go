package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/storages"
)

func (s *Session) createStorage(ctx context.Context, st *ast.CreateStorage) error {
	if err := access.Check(s.Principal, access.ManageStorages); err != nil {
		return err
	}
	err := s.server.Storages.Create(ctx, st.Storage, catalog.StorageType(st.Type), settingsOf(&st.Settings))
	if st.IfNotExists && kalam.CodeOf(err) == kalam.CodeAlreadyExists {
		return s.message(0, fmt.Sprintf("Storage '%s' already exists", st.Storage))
	}
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	return s.message(0, fmt.Sprintf("Storage '%s' created successfully", st.Storage))
}

func (s *Session) alterStorage(ctx context.Context, st *ast.AlterStorage) error {
	if err := access.Check(s.Principal, access.ManageStorages); err != nil {
		return err
	}
	if err := s.server.Storages.Alter(ctx, st.Storage, settingsOf(&st.Settings)); err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	return s.message(0, fmt.Sprintf("Storage '%s' altered successfully", st.Storage))
}

func (s *Session) dropStorage(ctx context.Context, st *ast.DropStorage) error {
	if err := access.Check(s.Principal, access.ManageStorages); err != nil {
		return err
	}
	err := s.server.Storages.Drop(ctx, st.Storage, s.server.Maintenance.StorageInUse)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeNotFound {
		return s.message(0, fmt.Sprintf("Storage '%s' does not exist (skipped)", st.Storage))
	}
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	return s.message(0, fmt.Sprintf("Storage '%s' dropped successfully", st.Storage))
}

// settingsOf returns the clauses of a statement as package storages takes them.
func settingsOf(c *ast.StorageSettings) storages.Settings {
	out := storages.Settings{
		Name: c.Name, Description: c.Description, URI: c.URI, Region: c.Region,
		SharedTemplate: c.SharedTemplate, UserTemplate: c.UserTemplate, Config: c.Config,
	}
	if c.Credentials != nil {
		secret := catalog.NewSecret(string(*c.Credentials))
		out.Credentials = &secret
	}
	return out
}
