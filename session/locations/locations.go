package locations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/storages"
)

// Locations carries out statements on storages. It is safe for concurrent use.
type Locations struct {
	Catalog  *catalog.Catalog
	Storages *storages.Registry
	// InUse reports as an error what lies in a storage, or is being written there; package maintain knows.
	InUse func(ctx context.Context, id kalam.StorageID) error
}

// Create runs CREATE STORAGE and returns the answer.
func (l *Locations) Create(ctx context.Context, p kalam.Principal, st *ast.CreateStorage) (string, error) {
	if err := access.Check(p, access.ManageStorages); err != nil {
		return "", err
	}
	err := l.Storages.Create(ctx, st.Storage, catalog.StorageType(st.Type), settingsOf(&st.Settings))
	if st.IfNotExists && kalam.CodeOf(err) == kalam.CodeAlreadyExists {
		return fmt.Sprintf("Storage '%s' already exists", st.Storage), nil
	}
	if err != nil {
		return "", kalam.Positioned(err, st.Pos)
	}
	return fmt.Sprintf("Storage '%s' created successfully", st.Storage), nil
}

// Alter runs ALTER STORAGE and returns the answer.
func (l *Locations) Alter(ctx context.Context, p kalam.Principal, st *ast.AlterStorage) (string, error) {
	if err := access.Check(p, access.ManageStorages); err != nil {
		return "", err
	}
	if err := l.Storages.Alter(ctx, st.Storage, settingsOf(&st.Settings)); err != nil {
		return "", kalam.Positioned(err, st.Pos)
	}
	return fmt.Sprintf("Storage '%s' altered successfully", st.Storage), nil
}

// Drop runs DROP STORAGE and returns the answer.
func (l *Locations) Drop(ctx context.Context, p kalam.Principal, st *ast.DropStorage) (string, error) {
	if err := access.Check(p, access.ManageStorages); err != nil {
		return "", err
	}
	err := l.Storages.Drop(ctx, st.Storage, l.InUse)
	if st.IfExists && kalam.CodeOf(err) == kalam.CodeNotFound {
		return fmt.Sprintf("Storage '%s' does not exist (skipped)", st.Storage), nil
	}
	if err != nil {
		return "", kalam.Positioned(err, st.Pos)
	}
	return fmt.Sprintf("Storage '%s' dropped successfully", st.Storage), nil
}

// Delete runs DELETE FROM system.storages of the rows with these ids, and returns how many it removed. It
// takes one at most: the removal of two could end between them. Nothing that is asked of a storage depends on
// the state of the users but whether it is in use, and that is looked at anew.
func (l *Locations) Delete(ctx context.Context, p kalam.Principal, _ uint64, ids []string) (int, error) {
	if err := access.Check(p, access.ManageStorages); err != nil || len(ids) == 0 {
		return 0, err
	}
	if len(ids) > 1 {
		return 0, kalam.Errorf(kalam.CodeInvalidOperation,
			"DELETE FROM system.storages removes one storage at a time, and the condition is true of %d", len(ids))
	}
	id, name := kalam.StorageID(ids[0]), ids[0]
	if st, ok := l.Catalog.Storage(id); ok {
		name = st.Name
	}
	err := l.Storages.Drop(ctx, id, l.InUse)
	var used *catalog.StorageInUseError
	if errors.As(err, &used) {
		return 0, kalam.Errorf(kalam.CodeInvalidOperation, "Cannot delete storage '%s': %d %s(s) still reference it: %s",
			name, used.Count, used.What, strings.Join(used.Names, ", "))
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// NotFound is the error of DELETE of a storage that does not exist, by that id alone.
func (l *Locations) NotFound(id string) error {
	return kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", id)
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
