package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/persistent"
)

// Storages returns every storage: local first, then by name.
func (c *Catalog) Storages() []Storage {
	var list []Storage
	for _, s := range c.current.Load().storages.All() {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Storage) int {
		switch {
		case a.ID == b.ID:
			return 0
		case a.ID == kalam.LocalStorage:
			return -1
		case b.ID == kalam.LocalStorage:
			return 1
		}
		return strings.Compare(a.Name+"\x00"+string(a.ID), b.Name+"\x00"+string(b.ID))
	})
	return list
}

// Storage returns the storage named id.
func (c *Catalog) Storage(id kalam.StorageID) (Storage, bool) {
	s, ok := c.current.Load().storages.Get(id)
	if !ok {
		return Storage{}, false
	}
	return *s, true
}

// CreateStorage registers a storage; its times are set here. Errors:
// CodeAlreadyExists, CodeInvalidSQL for the name, CodeInvalidOperation for the type.
func (c *Catalog) CreateStorage(ctx context.Context, s Storage) error {
	if err := kalam.CheckIdentifier("storage", string(s.ID)); err != nil {
		return err
	}
	if s.Type != StorageFilesystem && s.Type != StorageS3 {
		return kalam.Errorf(kalam.CodeInvalidOperation, "unknown storage type '%s' (expected filesystem or s3)", s.Type)
	}
	return c.write(ctx, func(tx *tx) error {
		if _, ok := tx.next.storages.Get(s.ID); ok {
			return kalam.Errorf(kalam.CodeAlreadyExists, "Storage '%s' already exists", s.ID)
		}
		if s.Name == "" {
			s.Name = string(s.ID)
		}
		s.CreatedAt, s.UpdatedAt = tx.now, tx.now
		return tx.putStorage(s)
	})
}

// AlterStorage replaces the texts of a storage: name, description, templates,
// credentials and config. Its type and URI stay, since files lie there.
// CodeNotFound when it does not exist.
func (c *Catalog) AlterStorage(ctx context.Context, s Storage) error {
	return c.write(ctx, func(tx *tx) error {
		old, ok := tx.next.storages.Get(s.ID)
		if !ok {
			return storageNotFound(s.ID)
		}
		next := *old
		next.Name, next.Description, next.SharedTemplate, next.UserTemplate = s.Name, s.Description,
			s.SharedTemplate, s.UserTemplate
		next.Credentials, next.Config, next.UpdatedAt = s.Credentials, s.Config, tx.now
		return tx.putStorage(next)
	})
}

// StorageInUseError is the error of DropStorage and CheckStorageUnused for a storage that tables or users
// refer to. Its code is CodeInvalidOperation.
type StorageInUseError struct {
	Storage kalam.StorageID
	What    string   // "table" or "user".
	Count   int      // How many refer to it.
	Names   []string // The first ten of them, by name; "..." stands for the others.
}

// Error words it for DROP STORAGE.
func (e *StorageInUseError) Error() string { return kalam.MessageOf(e.Unwrap()) }

// Unwrap returns the error with its code.
func (e *StorageInUseError) Unwrap() error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot drop storage '%s': %d %s(s) still using it: %s", e.Storage,
		e.Count, e.What, strings.Join(e.Names, ", "))
}

// DropStorage removes a storage that no table and no user refers to. Tables that
// are dropped but not yet cleaned up count too: their files lie there. Errors:
// CodeNotFound, CodeInvalidOperation, which is a StorageInUseError for what refers to it.
func (c *Catalog) DropStorage(ctx context.Context, id kalam.StorageID) error {
	return c.write(ctx, func(tx *tx) error {
		if _, ok := tx.next.storages.Get(id); !ok {
			return storageNotFound(id)
		}
		if id == kalam.LocalStorage {
			return storageIsDefault(id)
		}
		if err := tx.checkUnused(id); err != nil {
			return err
		}
		tx.delete(storageKey(id))
		tx.next.storages = tx.next.storages.Without(id)
		return nil
	})
}

// StorageOf returns the storage that new files of a user's rows go to: that of the user, if the table lets users have
// one, else the table's own, else the local one.
func (c *Catalog) StorageOf(t *kalam.Table, user kalam.UserID) kalam.StorageID {
	if t.Options.UseUserStorage && user != "" {
		// A dropped user's rows go where they were, until they are removed.
		if u, ok := c.AnyUser(user); ok && u.StorageMode == StorageModeRegion && u.StorageID != "" {
			return u.StorageID
		}
	}
	return cmp.Or(t.Options.StorageID, kalam.LocalStorage)
}

// MoveTable has new files of a table go to another storage. Where files go is no part of the
// schema, so that the table gets no new version. CodeTableNotFound, CodeNotFound for the storage.
func (c *Catalog) MoveTable(ctx context.Context, n kalam.TableNumber, id kalam.StorageID) (*kalam.Table, error) {
	var moved *kalam.Table
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.numbers.Get(n)
		if !ok {
			return kalam.Errorf(kalam.CodeTableNotFound, "the table was dropped")
		}
		if err := tx.checkStorage(id); err != nil {
			return err
		}
		moved = cloneTable(e.current)
		moved.Options.StorageID, moved.UpdatedAt = id, tx.now
		next := *e
		next.current = moved
		next.versions = slices.Clone(e.versions)
		next.versions[len(next.versions)-1].Table = moved
		return tx.putTable(&next)
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}

// CheckStorageUnused reports why DropStorage would refuse a storage that exists now.
func (c *Catalog) CheckStorageUnused(id kalam.StorageID) error {
	if id == kalam.LocalStorage {
		return storageIsDefault(id)
	}
	return (&tx{next: *c.current.Load()}).checkUnused(id)
}

func storageIsDefault(id kalam.StorageID) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot delete storage '%s': it is the default storage", id)
}

// checkUnused refuses a storage that is referred to, naming up to 10 tables or users.
func (tx *tx) checkUnused(id kalam.StorageID) error {
	var tables, users []string
	for _, d := range []persistent.Map[kalam.TableNumber, *tableEntry]{tx.next.numbers, tx.next.dropped} {
		for _, e := range d.All() {
			if e.current.Options.StorageID == id {
				tables = append(tables, e.current.ID.String())
			}
		}
	}
	for uid, e := range tx.next.users.All() {
		if e.user.StorageID == id {
			users = append(users, string(uid))
		}
	}
	switch {
	case len(tables) > 0:
		return inUse(id, "table", tables)
	case len(users) > 0:
		return inUse(id, "user", users)
	}
	return nil
}

func inUse(id kalam.StorageID, what string, names []string) error {
	const most = 10
	n := len(names)
	slices.Sort(names)
	if n > most {
		names = append(names[:most:most], "...")
	}
	return &StorageInUseError{Storage: id, What: what, Count: n, Names: names}
}

// checkStorage refuses a storage that does not exist; "" stands for none.
func (tx *tx) checkStorage(id kalam.StorageID) error {
	if _, ok := tx.next.storages.Get(id); !ok && id != "" {
		return storageNotFound(id)
	}
	return nil
}

func storageNotFound(id kalam.StorageID) error {
	return kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", id)
}

func (tx *tx) putStorage(s Storage) error {
	tx.next.storages = tx.next.storages.With(s.ID, &s)
	return tx.put(storageKey(s.ID), s)
}

// secretRecord is the stored form of a named secret.
type secretRecord struct {
	Text string `json:"text"`
}

// PutSecret stores a secret under a name, or removes it when it is empty.
func (c *Catalog) PutSecret(ctx context.Context, name string, s Secret) error {
	if name == "" || len(name) > kalam.MaxIdentifier {
		return fmt.Errorf("name of a secret is %d bytes long (1 to %d)", len(name), kalam.MaxIdentifier)
	}
	return c.write(ctx, func(tx *tx) error {
		if s.IsEmpty() {
			tx.delete(secretKey(name))
			tx.next.secrets = tx.next.secrets.Without(name)
			return nil
		}
		tx.next.secrets = tx.next.secrets.With(name, s)
		return tx.put(secretKey(name), secretRecord{Text: s.Reveal()})
	})
}

// Secret returns the secret stored under a name.
func (c *Catalog) Secret(name string) (Secret, bool) { return c.current.Load().secrets.Get(name) }
