package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
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
	// MaxKeysPerUser is how many API keys a user may have; 0 is no limit.
	MaxKeysPerUser int
	Rules          Rules // Who may create tables and manage users; nil refuses both to everybody.
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
	maxKeys    int
	rules      Rules

	current atomic.Pointer[version]
	// Holds one token; who has it may write. A channel, so that waiting respects a context.
	writer chan struct{}
	ended  atomic.Pointer[chan struct{}] // Closed and replaced when tokens of a user end.
}

// TokensEnded returns a channel that is closed after the next change by which
// credentials of a user end: a logout, another password or role, a drop, of an
// API key too.
func (c *Catalog) TokensEnded() <-chan struct{} { return *c.ended.Load() }

// closeBatch is the number of users that Close writes at once.
const closeBatch = 500

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

func (tx *tx) putMeta() error {
	return tx.put(keyMeta, metaRecord{NextTable: tx.next.nextTable, Audit: tx.next.audit})
}

// SetAudit records the format of the audit log that goes with the catalog: programs that know of none, and would change
// the catalog without it, refuse the record.
func (c *Catalog) SetAudit(ctx context.Context, format int) error {
	return c.write(ctx, func(tx *tx) error {
		if tx.next.audit >= format {
			return nil
		}
		tx.next.audit = format
		return tx.putMeta()
	})
}

// Guesses returns the failed logins and locks of every name that has any, whether it
// is a user or not.
func (c *Catalog) Guesses() map[kalam.UserID]Guesses { return c.guesses.byName(c.now()) }
