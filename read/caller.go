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
}

// Caller is who reads, and what its request holds.
type Caller struct {
	*Reader
	Principal kalam.Principal
	Namespace kalam.NamespaceID // Of names that have none.
	Now       time.Time         // Of the statement: NOW(), and what has expired.
	Settings  query.Settings    // Of the texts; Inner is Open's to say.
	Txn       *Transaction      // The open one, nil for none.

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
	return c.Access.Resolve(c.Principal, c.Namespace, n, want)
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
	c.cleanup = c.cleanup[:0]
}

// Current reads the newest live version of a key, the transaction's own first.
func (c *Caller) Current(ctx context.Context, t *kalam.Table, key []byte) (kalam.Row, bool, error) {
	if c.Txn == nil {
		return c.Store.Get(ctx, t, c.Scope(t), key)
	}
	view, err := c.View(ctx, t, c.Txn.Point)
	if err != nil {
		return kalam.Row{}, false, err
	}
	return view.Get(ctx, key)
}

// View returns what the caller reads of t at a read point, with the transaction's own writes on top.
func (c *Caller) View(ctx context.Context, t *kalam.Table, p *buffer.ReadPoint) (*buffer.View, error) {
	sc := c.Scope(t)
	if own := c.ownWrites(sc); own != nil {
		return own.View(), nil
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
