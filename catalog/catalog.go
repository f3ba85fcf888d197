package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// DefaultBcryptCost is the bcrypt cost when Options names none.
const DefaultBcryptCost = 12

// Options configure Open. The zero value is usable.
type Options struct {
	Now          func() time.Time // nil is time.Now.
	Logger       *slog.Logger     // nil discards.
	BcryptCost   int              // 4 to 31; 0 is DefaultBcryptCost.
	RootPassword string           // Given to the user root while it has none; "" leaves it to Setup.
	// Complexity makes CreateUser and AlterUser want all kinds of characters in a
	// password, beside the length and rarity that CheckPassword always wants.
	Complexity bool
	// MaxTablesPerUser is how many tables a user of role user may create; 0 is no limit.
	MaxTablesPerUser int
	Rules            Rules // Who may create tables and manage users; nil refuses both to everybody.
}

// Catalog is the catalog of one server. It is safe for concurrent use.
type Catalog struct {
	store      store
	log        *slog.Logger
	now        func() time.Time
	hasher     *hasher
	guesses    *guesses
	complexity bool
	maxTables  int
	rules      Rules

	current atomic.Pointer[version]
	// Holds one token; who has it may write. A channel, so that waiting respects a context.
	writer chan struct{}
	ended  atomic.Pointer[chan struct{}] // Closed and replaced when tokens of a user end.
}

// TokensEnded returns a channel that is closed after the next change by which
// tokens of a user end: a logout, another password or role, a drop.
func (c *Catalog) TokensEnded() <-chan struct{} { return *c.ended.Load() }

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
		rules:  o.Rules,
		hasher: newHasher(o.BcryptCost, runtime.NumCPU()), guesses: newGuesses(), writer: make(chan struct{}, 1),
	}
	ended := make(chan struct{})
	c.ended.Store(&ended)
	if err := c.store.create(ctx); err != nil {
		return nil, err
	}
	v, err := c.store.load(ctx)
	if err != nil {
		return nil, err
	}
	c.current.Store(v)
	if err := c.bootstrap(ctx); err != nil {
		return nil, err
	}
	return c, c.setInitialRootPassword(ctx, o.RootPassword)
}

// closeBatch is the number of users that Close writes at once.
const closeBatch = 500

// Close makes the times at which users last logged in and were seen durable. Reads go on to
// work, writes are the caller's mistake.
//
//nolint:contextcheck // A close is waited for.
func (c *Catalog) Close() error {
	var seen []kalam.UserID
	for id, e := range c.current.Load().users.all() {
		if u := e.load(); u.LastSeen != e.user.LastSeen || u.LastLogin != e.user.LastLogin {
			seen = append(seen, id)
		}
	}
	for batch := range slices.Chunk(seen, closeBatch) {
		err := c.write(context.Background(), func(tx *tx) error {
			for _, id := range batch {
				e, ok := tx.next.users.get(id)
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

// SchemaEpoch returns a number that rises with every change of a namespace or
// table. It starts anew at each Open.
func (c *Catalog) SchemaEpoch() uint64 { return c.current.Load().epoch }

// tx is one write: the version that it leads to and the operations that make it
// durable.
type tx struct {
	next       version
	ops        []operation
	now        time.Time
	endsTokens bool // Of a user.
	// newPasswords are users whose locks end, because they get another password.
	newPasswords []kalam.UserID
}

// operation puts a record, or deletes its key when value is nil.
type operation struct {
	key   string
	value []byte
}

func (tx *tx) put(key string, record any) error {
	raw, err := encodeRecord(key, record)
	if err != nil {
		return err
	}
	tx.ops = append(tx.ops, operation{key: key, value: raw})
	return nil
}

func (tx *tx) delete(key string) { tx.ops = append(tx.ops, operation{key: key}) }

// write runs fn alone and makes what it did durable, then visible. When fn or
// the backend fails, nothing has changed. The context is obeyed while waiting
// for other writers, not in the middle of the write, so that its outcome is known.
func (c *Catalog) write(ctx context.Context, fn func(*tx) error) error {
	select {
	case c.writer <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-c.writer }()
	tx := &tx{next: *c.current.Load(), now: c.now().UTC().Truncate(time.Microsecond)}
	if err := fn(tx); err != nil {
		return err
	}
	if len(tx.ops) == 0 {
		return nil
	}
	if err := c.store.apply(context.WithoutCancel(ctx), tx.ops); err != nil {
		return fmt.Errorf("write catalog: %w", err)
	}
	c.current.Store(&tx.next)
	for _, id := range tx.newPasswords {
		c.guesses.forget(id)
	}
	if tx.endsTokens {
		next := make(chan struct{})
		close(*c.ended.Swap(&next))
	}
	return nil
}

// metaRecord holds the counters that are not part of another record.
type metaRecord struct {
	NextTable kalam.TableNumber `json:"next_table"`
}

func (tx *tx) putMeta() error { return tx.put(keyMeta, metaRecord{NextTable: tx.next.nextTable}) }

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
		root, ok := tx.next.users.get(RootUser)
		if !ok || !root.user.PasswordHash.IsEmpty() {
			return nil
		}
		return tx.setPassword(root.user, hash)
	})
}
