package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Open reads the catalog from the keyspace sys_catalog of b. At the first start
// it creates the namespace default, the users root and system, and the storage
// local. A damaged record is CodeCorrupt and named; nothing is changed then. The
// backend stays the caller's: it must outlive the Catalog.
func Open(ctx context.Context, b buffer.Backend, o Options) (*Catalog, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.BcryptCost == 0 {
		o.BcryptCost = DefaultBcryptCost
	}
	if o.Rules == nil {
		o.Rules = noRules{}
	}
	if o.BcryptCost < bcrypt.MinCost || o.BcryptCost > bcrypt.MaxCost {
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "bcrypt cost %d is not between %d and %d", o.BcryptCost,
			bcrypt.MinCost, bcrypt.MaxCost)
	}
	c := &Catalog{
		store: store{backend: b}, log: o.Logger, now: o.Now, complexity: o.Complexity, maxTables: o.MaxTablesPerUser,
		maxKeys: o.MaxKeysPerUser,
		rules:   o.Rules,
		hasher:  newHasher(o.BcryptCost, runtime.NumCPU()), guesses: newGuesses(), writer: make(chan struct{}, 1),
	}
	ended := make(chan struct{})
	c.ended.Store(&ended)
	if err := c.store.create(ctx); err != nil {
		return nil, err
	}
	v, err := reader{c.store.backend}.load(ctx)
	if err != nil {
		return nil, err
	}
	c.current.Store(v)
	if err := c.bootstrap(ctx); err != nil {
		return nil, err
	}
	return c, c.setInitialRootPassword(ctx, o.RootPassword)
}

// Close makes the times at which users last logged in and were seen durable. Reads go on to
// work, writes are the caller's mistake.
//
//nolint:contextcheck // A close is waited for.
func (c *Catalog) Close() error {
	var seen []kalam.UserID
	for id, e := range c.current.Load().users.All() {
		if u := e.load(); u.LastSeen != e.user.LastSeen || u.LastLogin != e.user.LastLogin {
			seen = append(seen, id)
		}
	}
	if err := c.WriteKeyUses(context.Background()); err != nil {
		return err
	}
	for batch := range slices.Chunk(seen, closeBatch) {
		err := c.write(context.Background(), func(tx *tx) error {
			for _, id := range batch {
				e, ok := tx.next.users.Get(id)
				if !ok {
					continue
				}
				if err := tx.putUser(e.load()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// bootstrap creates what every catalog has, at the first start.
func (c *Catalog) bootstrap(ctx context.Context) error {
	if c.current.Load().nextTable != 0 {
		return nil
	}
	return c.write(ctx, func(tx *tx) error {
		tx.next.nextTable = 1
		if err := tx.putMeta(); err != nil {
			return err
		}
		n := Namespace{ID: kalam.DefaultNamespace, CreatedAt: tx.now, UpdatedAt: tx.now}
		if err := tx.putNamespace(n); err != nil {
			return err
		}
		local := Storage{
			ID: kalam.LocalStorage, Name: "Local file system",
			Description: "The directory storage.default_storage_path of the server",
			Type:        StorageFilesystem, CreatedAt: tx.now, UpdatedAt: tx.now,
		}
		if err := tx.putStorage(local); err != nil {
			return err
		}
		for _, id := range []kalam.UserID{RootUser, SystemUser} {
			u := User{ID: id, Username: string(id), Role: kalam.RoleSystem, AuthType: AuthInternal, CreatedAt: tx.now,
				UpdatedAt: tx.now, TokenEpoch: tx.epochAbove(0)}
			if err := tx.putUser(u); err != nil {
				return err
			}
		}
		return nil
	})
}

// setInitialRootPassword gives root the configured password if it has none yet.
func (c *Catalog) setInitialRootPassword(ctx context.Context, password string) error {
	if password == "" || !c.NeedsSetup() {
		return nil
	}
	if err := checkHashable(password); err != nil {
		return fmt.Errorf("password of user root: %w", err)
	}
	if CheckPassword(password, false) != nil {
		c.log.Warn("the configured password of user root is weak")
	}
	hash, err := c.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return c.write(ctx, func(tx *tx) error {
		root, ok := tx.next.users.Get(RootUser)
		if !ok || !root.user.PasswordHash.IsEmpty() {
			return nil
		}
		return tx.setPassword(root.user, hash)
	})
}
