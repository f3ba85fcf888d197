package read

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/read/policy"
	"github.com/kalamlake/kalam/segments"
	"github.com/kalamlake/kalam/systables"
)

// Reader reads the tables of one server. It is safe for concurrent use.
type Reader struct {
	Catalog  *catalog.Catalog
	Access   *access.Resolver
	Computed *systables.Registry
	Query    *query.Planner
	Activity *activity.Registry // Of the queries under way.
	Store    *buffer.Store
	Segments *segments.Reader
	Refs     *catalog.TableRefs // Of the tables that requests use.

	rules policy.Rules
}

// Caller is who reads, and what its request holds.
type Caller struct {
	*Reader
	Principal kalam.Principal
	Namespace kalam.NamespaceID // Of names that have none.
	Now       time.Time         // Of the statement: NOW(), and what has expired.
	Settings  query.Settings    // Of the texts; Inner is Open's to say.
	Txn       *Transaction      // The open one, nil for none.

	met     []*kalam.Table      // That the statement resolved.
	metRoom [4]*kalam.Table     // For met: most statements resolve few.
	held    []kalam.TableNumber // Tables that are kept from removal until Release.
	cleanup []func()            // Run by EndStatement.
}

// Transaction is an open transaction, as its queries see it.
type Transaction struct {
	Point  *buffer.ReadPoint
	Writes map[kalam.Scope]*buffer.Writes // Its own.
}

// Resolve returns what a name means for the caller, if they may do with it what they want.
func (c *Caller) Resolve(n ast.Name, want access.Intent) (access.TableAccess, error) {
	a, err := c.Access.Resolve(c.Principal, c.Namespace, n, want)
	if err == nil && !a.Table.IsComputed() {
		if c.met == nil {
			c.met = c.metRoom[:0]
		}
		c.met = append(c.met, a.Table)
	}
	return a, err
}

// MetOlder reports whether a table that the statement resolved has a newer version by now.
func (c *Caller) MetOlder() bool {
	for _, t := range c.met {
		if c.Newest(t) != nil {
			return true
		}
	}
	return false
}

// Table is Resolve for the table alone.
func (c *Caller) Table(n ast.Name, want access.Intent) (*kalam.Table, error) {
	a, err := c.Resolve(n, want)
	return a.Table, err
}

// Scope returns the scope of t in which the caller reads and writes.
func (c *Caller) Scope(t *kalam.Table) kalam.Scope { return t.ScopeOf(c.Principal.User) }

// Hold keeps t from being removed until Release. A table that was dropped before that is not found.
func (c *Caller) Hold(t *kalam.Table) error {
	for _, n := range c.held {
		if n == t.Number {
			return nil
		}
	}
	c.Refs.Acquire(t.Number)
	if _, ok := c.Catalog.TableByNumber(t.Number); !ok {
		c.Refs.Release(t.Number)
		return access.NotFound(t.ID)
	}
	c.held = append(c.held, t.Number)
	return nil
}

// Release ends every Hold.
func (c *Caller) Release() {
	for _, n := range c.held {
		c.Refs.Release(n)
	}
	c.held = nil
}

// AtEnd makes EndStatement run f.
func (c *Caller) AtEnd(f func()) { c.cleanup = append(c.cleanup, f) }

// EndStatement frees what lives as long as the statement.
func (c *Caller) EndStatement() {
	for _, f := range c.cleanup {
		f()
	}
	c.cleanup, c.met = c.cleanup[:0], c.met[:0]
}

// Current reads the newest live version of a key, the transaction's own first. A row of a STREAM table that
// has expired is not there.
func (c *Caller) Current(ctx context.Context, t *kalam.Table, key []byte) (kalam.Row, bool, error) {
	row, ok, err := c.current(ctx, t, key)
	if ok && t.Expires() && row.Seq < kalam.SeqAt(c.Now.Add(-t.Options.TTL)) {
		return kalam.Row{}, false, err
	}
	return row, ok, err
}

func (c *Caller) current(ctx context.Context, t *kalam.Table, key []byte) (kalam.Row, bool, error) {
	if c.Txn == nil {
		row, ok, err := c.Store.Get(ctx, t, c.Scope(t), key)
		if err == nil {
			err = c.Newest(t) // The row may have been written for a newer version.
		}
		return row, ok, err
	}
	view, err := c.View(ctx, t, c.Txn.Point)
	if err != nil {
		return kalam.Row{}, false, err
	}
	return view.Get(ctx, key)
}

// Newest returns an error when t is not the newest version of its table any more. A row that was read before has none
// of a newer version then: its commit comes after that.
func (c *Caller) Newest(t *kalam.Table) error {
	if now, ok := c.Catalog.TableByNumber(t.Number); ok && now.SchemaVersion != t.SchemaVersion {
		return kalam.TableChanged(t.ID)
	}
	return nil // One that was dropped stays as it was, see Hold.
}

// View returns what the caller reads of t at a read point, with the transaction's own writes on top.
func (c *Caller) View(ctx context.Context, t *kalam.Table, p *buffer.ReadPoint) (*buffer.View, error) {
	sc := c.Scope(t)
	if own := c.ownWrites(sc); own != nil {
		return own.View().As(t), nil
	}
	return p.View(ctx, buffer.TableScope{Table: t, Scope: sc})
}

// Pin fixes a read point for the scope in which the caller reads a table, and no other.
func (c *Caller) Pin(ctx context.Context, t *kalam.Table) (*buffer.ReadPoint, *buffer.View, error) {
	p, views, err := c.Store.Views(ctx, []buffer.TableScope{{Table: t, Scope: c.Scope(t)}})
	if err != nil {
		return nil, nil, err
	}
	return p, views[0], nil
}

// ownWrites returns what the open transaction has written to a scope, nil for nothing.
func (c *Caller) ownWrites(sc kalam.Scope) *buffer.Writes {
	if c.Txn == nil {
		return nil
	}
	return c.Txn.Writes[sc]
}

// ShownSeq returns the seq that users see of a row that was read in a scope.
func (c *Caller) ShownSeq(sc kalam.Scope, seq kalam.Seq) kalam.Seq {
	if own := c.ownWrites(sc); own != nil && own.Provisional(seq) {
		return UnknownSeq
	}
	return seq
}
