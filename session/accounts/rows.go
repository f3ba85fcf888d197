package accounts

import (
	"context"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Columns of system.users that statements name.
const (
	userID    = "user_id"
	username  = "username"
	storageOf = "storage_id"
	modeOf    = "storage_mode"
	deletedAt = "deleted_at"
)

// Table is the name of system.users in its namespace.
const Table kalam.TableName = "users"

// fields are the columns that INSERT and UPDATE set, beside user_id of a new row. They never get NULL
// from set for one of required.
var fields = map[string]func(*catalog.UserChange, kalam.Value) error{
	username: func(ch *catalog.UserChange, v kalam.Value) error { return text(&ch.Username, v) },
	"email":  func(ch *catalog.UserChange, v kalam.Value) error { return text(&ch.Email, v) },
	"metadata": func(ch *catalog.UserChange, v kalam.Value) error {
		return text(&ch.Metadata, v)
	},
	storageOf: func(ch *catalog.UserChange, v kalam.Value) error { return text(&ch.StorageID, v) },
	"role": func(ch *catalog.UserChange, v kalam.Value) error {
		role, err := kalam.ParseRole(strings.ToLower(v.Str()))
		ch.Role = &role
		return err
	},
	modeOf: func(ch *catalog.UserChange, v kalam.Value) error {
		mode, err := catalog.ParseStorageMode(strings.ToLower(v.Str()))
		ch.StorageMode = &mode
		return err
	},
}

// required are the columns that are never NULL.
var required = []string{userID, username, "role", modeOf}

// text sets a field to a text; NULL is "".
func text[T ~string](field **T, v kalam.Value) error {
	s := T("")
	if !v.IsNull() {
		s = T(v.Str())
	}
	*field = &s
	return nil
}

// CheckInsert refuses columns of INSERT that the server sets, or that are missing.
func CheckInsert(columns []ast.Ident) error {
	for _, c := range columns {
		if _, ok := fields[c.Name]; !ok && c.Name != userID {
			return notSet(c)
		}
	}
	for _, name := range []string{userID, username} {
		if !slices.ContainsFunc(columns, func(c ast.Ident) bool { return c.Name == name }) {
			return isNull(name)
		}
	}
	return nil
}

// CheckUpdate refuses columns of UPDATE that statements cannot set.
func CheckUpdate(columns []ast.Ident) error {
	for _, c := range columns {
		if _, ok := fields[c.Name]; !ok && c.Name != deletedAt {
			return notSet(c)
		}
	}
	return nil
}

// Filter returns what the condition of an UPDATE needs beside it, "" for nothing: one that sets deleted_at
// is about dropped users too, who are shown to a condition that names that column.
func Filter(columns []ast.Ident) string {
	if slices.ContainsFunc(columns, func(c ast.Ident) bool { return c.Name == deletedAt }) {
		return deletedAt + " IS NULL OR " + deletedAt + " IS NOT NULL"
	}
	return ""
}

// notSet is the error of a column that statements cannot set.
func notSet(c ast.Ident) error {
	how := "it is set by the server"
	switch c.Name {
	case userID:
		how = "rows belong to the id"
	case "password_hash":
		how = "use ALTER USER name SET PASSWORD 'password'"
	case "auth_type", "auth_data":
		how = "use CREATE USER"
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' of system.users cannot be set: %s", c.Name, how).
		At(c.Pos)
}

func isNull(column string) error {
	return kalam.Errorf(kalam.CodeConstraint, "NOT NULL constraint violation: column '%s' cannot be NULL", column)
}

// NotFound is the error of UPDATE and DELETE of a user who does not exist, by that id alone.
func (a *Accounts) NotFound(id string) error {
	return kalam.Errorf(kalam.CodeNotFound, "User with user_id '%s' not found", id)
}

// Insert runs INSERT INTO system.users, whose columns CheckInsert has seen: rows are values of these. It
// inserts all rows or none, and returns how many. The users have no password.
func (a *Accounts) Insert(
	ctx context.Context, p kalam.Principal, columns []ast.Ident, rows [][]kalam.Value,
) (int, error) {
	edits := make([]catalog.UserEdit, len(rows))
	for i, row := range rows {
		role := kalam.RoleUser
		ch := catalog.UserChange{Role: &role}
		for k, c := range columns {
			if c.Name != userID {
				if err := set(&ch, c, row[k]); err != nil {
					return 0, err
				}
				continue
			}
			if row[k].IsNull() {
				return 0, isNull(userID)
			}
			edits[i].ID = kalam.UserID(row[k].Str())
		}
		edits[i].Create = &catalog.NewUser{
			ID: edits[i].ID, Username: value(ch.Username), Role: *ch.Role, Email: value(ch.Email),
			Metadata: value(ch.Metadata), StorageMode: value(ch.StorageMode), StorageID: value(ch.StorageID),
		}
	}
	return a.Catalog.EditUsers(ctx, p, 0, edits)
}

// value returns what p points to, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// set sets a field to the value of a column.
func set(ch *catalog.UserChange, c ast.Ident, v kalam.Value) error {
	if v.IsNull() && slices.Contains(required, c.Name) {
		return isNull(c.Name)
	}
	return kalam.Positioned(fields[c.Name](ch, v), c.Pos)
}

// Update runs UPDATE system.users, whose columns CheckUpdate has seen, of the users that were read in a state
// of the catalog; rows are the values that each gets, of these columns. deleted_at can only become NULL,
// which restores the user. It changes all rows or none, and returns how many it changed, and the jobs that
// move files to another storage. With
// catalog.ErrUsersChanged it changed nothing: the rows are to be read again.
func (a *Accounts) Update(
	ctx context.Context, p kalam.Principal, state uint64, columns []ast.Ident, users []string, rows [][]kalam.Value,
) (n int, moves []kalam.JobID, err error) {
	edits := make([]catalog.UserEdit, len(users))
	for i, user := range users {
		if edits[i], err = editOf(columns, rows[i]); err != nil {
			return 0, nil, err
		}
		edits[i].ID = kalam.UserID(user)
	}
	n, err = a.Catalog.EditUsers(ctx, p, state, edits)
	moved := slices.ContainsFunc(columns, func(c ast.Ident) bool { return c.Name == storageOf || c.Name == modeOf })
	if err != nil || !moved {
		return n, nil, err
	}
	for i := range edits {
		ids, err := a.Maintenance.MoveUser(ctx, edits[i].ID)
		if err != nil {
			return n, nil, err
		}
		moves = append(moves, ids...)
	}
	return n, moves, nil
}

// editOf returns what an UPDATE of columns does to a user who gets these values.
func editOf(columns []ast.Ident, row []kalam.Value) (e catalog.UserEdit, err error) {
	for k, c := range columns {
		if c.Name == deletedAt {
			if !row[k].IsNull() {
				return e, kalam.Errorf(kalam.CodeInvalidOperation,
					"Column 'deleted_at' of system.users can only be set to NULL, which restores the user; DELETE drops it").
					At(c.Pos)
			}
			e.Restore = true
			continue
		}
		if e.Change == nil {
			e.Change = new(catalog.UserChange)
		}
		if err := set(e.Change, c, row[k]); err != nil {
			return e, err
		}
	}
	return e, nil
}

// Delete runs DELETE FROM system.users of users that were read in a state of the catalog: it drops all of them
// or none, as DROP USER does, and returns how many were not dropped before. With
// catalog.ErrUsersChanged it changed nothing: the rows are to be read again.
func (a *Accounts) Delete(ctx context.Context, p kalam.Principal, state uint64, users []string) (int, error) {
	edits := make([]catalog.UserEdit, len(users))
	for i, user := range users {
		edits[i] = catalog.UserEdit{ID: kalam.UserID(user), Drop: true}
	}
	n, err := a.Catalog.EditUsers(ctx, p, state, edits)
	if err != nil {
		return 0, err
	}
	for i := range edits {
		a.closeLive(edits[i].ID)
	}
	return n, nil
}
