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

// CheckWrites returns an error unless policies let the caller make the n changes of a statement, all to one table: the
// row before each must be one that it may read and change, and the row after it one that it may write. read says that the
// statement shows rows.
func (c *Caller) CheckWrites(ctx context.Context, n int, change func(i int) *buffer.Mutation, read bool) error {
	rules := map[kalam.ChangeKind]writeRules{} // One for all changes of a kind: rules are compiled.
	for i := range n {
		m := change(i)
		t := m.Table
		if !c.IsRestricted(t) {
			return nil
		}
		r, ok := rules[m.Kind]
		if !ok {
			var err error
			if r, err = c.writeRules(ctx, t, m.Kind, read); err != nil {
				return err
			}
			rules[m.Kind] = r
		}
		if m.Kind != kalam.ChangeInsert {
			if err := Reached(r.before, t, m.Old.Payload); err != nil {
				return err
			}
		}
		if m.Kind == kalam.ChangeDelete {
			continue
		}
		if err := admit(r.after, t, m.Payload, "new row violates the row policies of table '%s'"); err != nil {
			return err
		}
	}
	return nil
}

// writeRules are those of the rows before and after changes of one kind.
type writeRules struct{ before, after *policy.Rule }

func (c *Caller) writeRules(
	ctx context.Context, t *kalam.Table, kind kalam.ChangeKind, read bool,
) (r writeRules, err error) {
	switch kind {
	case kalam.ChangeDelete:
		r.before, err = c.Rule(ctx, t, rights.Select, rights.Delete)
	case kalam.ChangeUpdate:
		if r.before, err = c.Rule(ctx, t, rights.Select, rights.Update); err == nil {
			r.after, err = c.rules.Written(ctx, c.Query, c.Access, c.Principal, t, rights.Update, true)
		}
	case kalam.ChangeInsert:
		r.after, err = c.rules.Written(ctx, c.Query, c.Access, c.Principal, t, rights.Insert, read)
	}
	return r, err
}

// Reached returns an error unless a rule of Rule admits a stored row, which is to be changed.
func Reached(rule *policy.Rule, t *kalam.Table, payload []byte) error {
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
