package accounts

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Maintenance is the work that statements on users make; package maintain does it.
type Maintenance interface {
	// MoveUser submits the moves of files of a user that are not where new ones go.
	MoveUser(ctx context.Context, user kalam.UserID) ([]kalam.JobID, error)
	// PurgeUser submits the removal of a user whose purge has begun, or finds the active one.
	PurgeUser(ctx context.Context, user kalam.UserID) (kalam.Job, error)
}

// LiveQueries are those of all users; package subscribe has them.
type LiveQueries interface {
	// CloseUser ends the live queries of a user and returns their number.
	CloseUser(user kalam.UserID, err error) int
}

// Accounts carries out statements on users. It is safe for concurrent use.
type Accounts struct {
	Catalog     *catalog.Catalog
	Live        LiveQueries
	Maintenance Maintenance
}

var authTypes = map[ast.AuthKind]catalog.AuthType{
	ast.AuthPassword: catalog.AuthPassword, ast.AuthOAuth: catalog.AuthOAuth,
	ast.AuthInternal: catalog.AuthInternal,
}

// Create runs CREATE USER and returns the answer.
func (a *Accounts) Create(ctx context.Context, p kalam.Principal, st *ast.CreateUser) (string, error) {
	if err := access.Check(p, access.ManageUsers); err != nil {
		return "", err
	}
	exists := fmt.Sprintf("User '%s' already exists", st.User)
	if _, ok := a.Catalog.AnyUser(st.User); ok && st.IfNotExists {
		return exists, nil
	}
	n := catalog.NewUser{
		ID: st.User, Password: string(st.Password), Role: st.Role, Email: st.Email, AuthType: authTypes[st.Auth],
		StorageID: st.Storage, StorageMode: storageMode(st.Storage),
	}
	if st.OAuth != "" {
		n.AuthData = catalog.NewSecret(string(st.OAuth))
	}
	_, err := a.Catalog.CreateUser(ctx, p, n)
	if st.IfNotExists && kalam.CodeOf(err) == kalam.CodeAlreadyExists { // Another statement was faster.
		return exists, nil
	}
	if err != nil {
		return "", kalam.Positioned(err, st.Pos)
	}
	return fmt.Sprintf("User '%s' created", st.User), nil
}

// Alter runs ALTER USER and returns the answer, and the jobs that move files to another storage.
func (a *Accounts) Alter(
	ctx context.Context, p kalam.Principal, st *ast.AlterUser,
) (text string, moves []kalam.JobID, err error) {
	if err := access.Check(p, access.ManageUsers); err != nil {
		return "", nil, err
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
	if _, err := a.Catalog.AlterUser(ctx, p, st.User, change); err != nil {
		return "", nil, kalam.Positioned(err, st.Pos)
	}
	if st.Storage != nil {
		moves, err = a.Maintenance.MoveUser(ctx, st.User)
	}
	return fmt.Sprintf("User '%s' updated", st.User), moves, err
}

// storageMode says whether a user has a storage.
func storageMode(id kalam.StorageID) catalog.StorageMode {
	if id == "" {
		return catalog.StorageModeTable
	}
	return catalog.StorageModeRegion
}

// Drop runs DROP USER and returns the answer, and with PURGE the job that removes what the user has.
// Logins and tokens end at once, live queries close. Without PURGE rows stay for the grace period. A
// user who was dropped before is purged, too.
func (a *Accounts) Drop(
	ctx context.Context, p kalam.Principal, st *ast.DropUser,
) (text string, jobs []kalam.JobID, err error) {
	if err := access.Check(p, access.ManageUsers); err != nil {
		return "", nil, err
	}
	drop := a.Catalog.DropUser
	if st.Purge {
		drop = a.Catalog.PurgeUser
	}
	_, err = drop(ctx, p, st.User)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeNotFound {
		return fmt.Sprintf("User '%s' does not exist (skipped)", st.User), nil, nil
	}
	if err != nil {
		return "", nil, kalam.Positioned(err, st.Pos)
	}
	a.closeLive(st.User)
	if !st.Purge {
		return fmt.Sprintf("User '%s' dropped (soft delete)", st.User), nil, nil
	}
	j, err := a.Maintenance.PurgeUser(ctx, st.User)
	if err != nil {
		return "", nil, fmt.Errorf("user '%s' was dropped; the removal of its data begins with the next start: %w", st.User,
			err)
	}
	return fmt.Sprintf("User '%s' dropped, its data is being removed. Job ID: %s", st.User, j.ID),
		[]kalam.JobID{j.ID}, nil
}

// closeLive ends the live queries of a user who was dropped.
func (a *Accounts) closeLive(user kalam.UserID) {
	a.Live.CloseUser(user, kalam.Errorf(kalam.CodeUnauthenticated, "user was dropped"))
}

// Restore runs ALTER USER ... RESTORE, which takes DROP USER back, and returns the answer.
func (a *Accounts) Restore(ctx context.Context, p kalam.Principal, st *ast.RestoreUser) (string, error) {
	if err := access.Check(p, access.ManageUsers); err != nil {
		return "", err
	}
	if _, err := a.Catalog.RestoreUser(ctx, p, st.User); err != nil {
		return "", kalam.Positioned(err, st.Pos)
	}
	return fmt.Sprintf("User '%s' restored", st.User), nil
}
