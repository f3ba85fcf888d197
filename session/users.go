package session

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

var authTypes = map[ast.AuthKind]catalog.AuthType{
	ast.AuthPassword: catalog.AuthPassword, ast.AuthOAuth: catalog.AuthOAuth,
	ast.AuthInternal: catalog.AuthInternal,
}

func (s *Session) createUser(ctx context.Context, st *ast.CreateUser) error {
	if err := access.Check(s.Principal, access.ManageUsers); err != nil {
		return err
	}
	if _, exists := s.Catalog.AnyUser(st.User); exists && st.IfNotExists {
		return s.message(0, fmt.Sprintf("User '%s' already exists", st.User))
	}
	n := catalog.NewUser{
		ID: st.User, Password: string(st.Password), Role: st.Role, Email: st.Email, AuthType: authTypes[st.Auth],
		StorageID: st.Storage, StorageMode: storageMode(st.Storage),
	}
	if st.OAuth != "" {
		n.AuthData = catalog.NewSecret(string(st.OAuth))
	}
	_, err := s.Catalog.CreateUser(ctx, s.Principal, n)
	if st.IfNotExists && kalam.CodeOf(err) == kalam.CodeAlreadyExists { // Another statement was faster.
		return s.message(0, fmt.Sprintf("User '%s' already exists", st.User))
	}
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	return s.message(0, fmt.Sprintf("User '%s' created", st.User))
}

func (s *Session) alterUser(ctx context.Context, st *ast.AlterUser) error {
	if err := access.Check(s.Principal, access.ManageUsers); err != nil {
		return err
	}
	change := catalog.UserChange{Role: st.Role, Email: st.Email, StorageID: st.Storage}
	if st.Storage != nil {
		mode := storageMode(*st.Storage)
		change.StorageMode = &mode
	}
	if st.Password != nil {
		password := string(*st.Password)
		change.Password = &password
	}
	if _, err := s.Catalog.AlterUser(ctx, s.Principal, st.User, change); err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	text := fmt.Sprintf("User '%s' updated", st.User)
	if st.Storage != nil {
		return s.moveUser(ctx, st.User, text)
	}
	return s.message(0, text)
}

// storageMode says whether a user has a storage.
func storageMode(id kalam.StorageID) catalog.StorageMode {
	if id == "" {
		return catalog.StorageModeTable
	}
	return catalog.StorageModeRegion
}

// dropUser deletes softly: logins and tokens end at once, live queries close,
// rows stay for the grace period.
func (s *Session) dropUser(ctx context.Context, st *ast.DropUser) error {
	if err := access.Check(s.Principal, access.ManageUsers); err != nil {
		return err
	}
	_, err := s.Catalog.DropUser(ctx, s.Principal, st.User)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeNotFound {
		return s.message(0, fmt.Sprintf("User '%s' does not exist (skipped)", st.User))
	}
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	s.server.Hub.CloseUser(st.User, kalam.Errorf(kalam.CodeUnauthenticated, "user was dropped"))
	return s.message(0, fmt.Sprintf("User '%s' dropped (soft delete)", st.User))
}
