package read

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/read/policy"
)

// Rule returns the rule by which the caller reaches rows of a table by commands, nil for all rows. Every path to rows
// that does not go through Open asks it.
func (c *Caller) Rule(ctx context.Context, t *kalam.Table, commands ...rights.Privileges) (*policy.Rule, error) {
	return c.rules.Of(ctx, c.Query, c.Access, c.Principal, t, commands...)
}

// CheckPolicy returns the columns that the condition of a policy names, or why it is none.
func (c *Caller) CheckPolicy(ctx context.Context, t *kalam.Table, condition string) ([]string, error) {
	return c.rules.Check(ctx, c.Query, c.Principal, t, condition)
}

// IsRestricted reports whether policies decide which rows of a table the caller reaches.
func (c *Caller) IsRestricted(t *kalam.Table) bool { return c.Access.IsRestricted(c.Principal, t) }

// restrict finds the rule of a relation. The target of a statement is read and written.
func (c *Caller) restrict(ctx context.Context, rel *relation) (err error) {
	if rel.table == nil || !c.IsRestricted(rel.table) {
		return nil
	}
	if rel.history != nil {
		return kalam.Errorf(kalam.CodeUnsupported,
			"AT cannot read table '%s': it has row policies, which are about rows as they are", rel.table.ID).At(rel.history.pos)
	}
	rel.rule, err = c.Rule(ctx, rel.table, rel.commands()...)
	return err
}

// commands are those that must reach the rows of the relation.
func (r *relation) commands() []rights.Privileges {
	switch {
	case !r.target:
		return []rights.Privileges{rights.Select}
	case r.deletes:
		return []rights.Privileges{rights.Select, rights.Delete}
	default:
		return []rights.Privileges{rights.Select, rights.Update}
	}
}

// stillReads returns an error when the caller may not read a relation any more, or not by the same rule.
func (c *Caller) stillReads(ctx context.Context, rel *relation) error {
	if err := c.Access.MayStill(c.Principal, rel.table, access.Read); err != nil {
		return err
	}
	now, err := c.Rule(ctx, rel.table, rel.commands()...)
	if err == nil && !now.Same(rel.rule) {
		err = kalam.TableChanged(rel.table.ID)
	}
	return err
}

// CheckWrite returns an error unless policies let the caller make a change: the row before it must be one that it may
// read and change, and the row after it one that it may write. read says that the statement shows the row.
func (c *Caller) CheckWrite(ctx context.Context, m *buffer.Mutation, read bool) error {
	if !c.IsRestricted(m.Table) {
		return nil
	}
	command := rights.Insert
	switch m.Kind {
	case kalam.ChangeUpdate:
		command = rights.Update
	case kalam.ChangeDelete:
		command = rights.Delete
	case kalam.ChangeInsert:
	}
	if command != rights.Insert {
		if err := c.CheckReach(ctx, m.Table, m.Old.Payload, command); err != nil || command == rights.Delete {
			return err
		}
	}
	rule, err := c.rules.Written(ctx, c.Query, c.Access, c.Principal, m.Table, command, read || command == rights.Update)
	if err != nil {
		return err
	}
	return admit(rule, m.Table, m.Payload, "new row violates the row policies of table '%s'")
}

// CheckReach returns an error unless the caller may read a stored row and reach it by a command.
func (c *Caller) CheckReach(ctx context.Context, t *kalam.Table, payload []byte, command rights.Privileges) error {
	rule, err := c.Rule(ctx, t, rights.Select, command)
	if err != nil {
		return err
	}
	return admit(rule, t, payload, "the row policies of table '%s' do not let you change the row of this key")
}

// admit returns an error, which has no value of it, for a row that a rule does not admit.
func admit(rule *policy.Rule, t *kalam.Table, payload []byte, words string) error {
	if rule == nil {
		return nil
	}
	vals, err := datatype.DecodeRow(t, payload, nil)
	if err != nil {
		return err
	}
	if !rule.Admits(vals) {
		return kalam.Errorf(kalam.CodePermissionDenied, words, t.ID)
	}
	return nil
}
