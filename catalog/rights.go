package catalog

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// Rights returns what is granted now. Equal pointers are the same state.
func (c *Catalog) Rights() *rights.Set { return c.current.Load().rights }

// ChangeRights changes what is granted on an object to grantees, whom edit is called with, if may allows it, which is
// told of the table, nil for a namespace. Errors: CodeTableNotFound and CodeNotFound for an object or a user that is
// not there; those of may and edit, after which nothing has changed.
func (c *Catalog) ChangeRights(
	ctx context.Context, on rights.Object, to []rights.Grantee, may func(*kalam.Table) error,
	edit func(*rights.Edit) error,
) error {
	return c.write(ctx, func(tx *tx) error {
		var t *kalam.Table
		if on.Table != 0 {
			e, ok := tx.next.numbers.Get(on.Table)
			if !ok {
				return kalam.Errorf(kalam.CodeTableNotFound, "the table was dropped meanwhile")
			}
			t = e.current
		} else if _, ok := tx.next.namespaces.Get(on.Namespace); !ok {
			return namespaceNotFound(on.Namespace)
		}
		if err := may(t); err != nil {
			return err
		}
		for _, g := range to {
			if _, ok := tx.next.activeUser(g.User); g.User != "" && !ok {
				return userNotFound(g.User)
			}
		}
		return tx.editRights(edit)
	})
}

// editRights makes a change of what is granted part of the write. A program that does not know grants refuses the
// catalog from then on, by the format of the record of the counters: it would give too little, or let a grant outlive
// what it is on.
func (tx *tx) editRights(edit func(*rights.Edit) error) error {
	e := tx.next.rights.Begin(tx.now)
	if err := edit(e); err != nil {
		return err
	}
	next, records, ok := e.Changed()
	if !ok {
		return nil
	}
	for key, record := range records {
		if record == nil {
			tx.delete(key)
		} else if err := tx.put(key, record); err != nil {
			return err
		}
	}
	tx.next.rights = next
	tx.next.epoch++
	return tx.putMeta()
}

// dropRights takes along what was granted on something that is dropped.
func (tx *tx) dropRights(on rights.Object) error {
	return tx.editRights(func(e *rights.Edit) error {
		e.DropObject(on)
		return nil
	})
}

func (v *version) loadGrant(key string, raw []byte) error {
	var r rights.GrantRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	if err := v.rights.Load(key, &r); err != nil {
		return unusable(key, err)
	}
	return nil
}

func (v *version) loadPolicy(key string, raw []byte) error {
	var r rights.PolicyRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	if err := v.rights.LoadPolicy(key, &r); err != nil {
		return unusable(key, err)
	}
	return nil
}
