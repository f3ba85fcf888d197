package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/schema"
)

// alterTable runs ALTER TABLE. No row and no file is written again: the next version of the definition says what the
// rows of older ones hold. It is one write of the catalog, and takes effect for every statement that begins after it.
func (s *Session) alterTable(ctx context.Context, st *ast.AlterTable) error {
	t, err := s.alterable(st)
	if err != nil {
		return err
	}
	seen, err := s.checkBefore(ctx, t, st)
	if err != nil {
		return err
	}
	text, err := s.alterAlone(ctx, t, st, seen)
	if err != nil {
		return err
	}
	return s.message(0, text)
}

// alterAlone alters the table while no commit to it is under way. was is the version whose rows up to the seq seen were
// checked. It returns the answer.
func (s *Session) alterAlone(
	ctx context.Context, was *kalam.Table, st *ast.AlterTable, seen kalam.Seq,
) (string, error) {
	open, err := s.server.gates.Shut(ctx, was.Number)
	if err != nil {
		return "", err
	}
	defer open()
	t, err := s.alterable(st) // As it is, now that nobody else alters it.
	switch {
	case err != nil:
		return "", err
	case t.Number != was.Number: // It was dropped, and another has its name.
		return "", kalam.TableChanged(t.ID)
	case t.SchemaVersion != was.SchemaVersion: // Its rows may hold something else by now.
		seen = 0
	}
	a := schema.NewAlteration(altering{s}, st, t)
	changed, err := a.Apply(ctx)
	if err != nil {
		return "", err
	}
	if !changed {
		return fmt.Sprintf("Table %s unchanged: %s (version %d - no changes needed)", t.ID, st.Operation(),
			t.SchemaVersion), nil
	}
	if err := s.checkRule(ctx, &a.Rule, t, seen); err != nil {
		return "", err
	}
	altered, err := s.Catalog.AlterTable(ctx, a.Next, st.Operation())
	if err != nil {
		return "", err
	}
	if !sameRows(t, altered) {
		s.server.Hub.CloseTable(t.Number, tableAltered(altered))
	}
	s.server.Maintenance.Changed(altered)
	return fmt.Sprintf("Table %s altered successfully: %s (version %d)%s", t.ID, st.Operation(), altered.SchemaVersion,
		a.Note), nil
}

// alterable returns the table that a statement alters, if the principal may.
func (s *Session) alterable(st *ast.AlterTable) (*kalam.Table, error) {
	t, err := s.Table(st.Name, access.Alter)
	if err != nil {
		return nil, err
	}
	if st.Kind != 0 && st.Kind != t.Kind {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "Table %s is a %s table, not %s", t.ID,
			strings.ToUpper(t.Kind.String()), strings.ToUpper(st.Kind.String())).At(st.Name.Pos)
	}
	return t, s.Hold(t)
}

// checkBefore checks the rows while others write, so that these are held up for no longer than it takes to check what
// they wrote meanwhile: what comes after the seq that it returns.
func (s *Session) checkBefore(ctx context.Context, t *kalam.Table, st *ast.AlterTable) (kalam.Seq, error) {
	a := schema.NewAlteration(altering{s}, st, t)
	if changed, err := a.Apply(ctx); err != nil || !changed || a.Rule.Column == nil {
		return 0, err
	}
	point := s.Store.Begin()
	seen := point.Seq()
	point.Release()
	return seen, s.checkRule(ctx, &a.Rule, t, 0)
}

func tableAltered(t *kalam.Table) error {
	return kalam.Wrap(kalam.CodeConflict, kalam.ErrTableChanged,
		"Table %s was altered (version %d)", t.ID, t.SchemaVersion)
}

// sameRows reports whether live queries of both versions give the same, to the same users.
func sameRows(a, b *kalam.Table) bool {
	sameColumns := slices.EqualFunc(a.Columns, b.Columns, func(x, y kalam.Column) bool {
		return x.ID == y.ID && x.Name == y.Name && x.Type == y.Type
	})
	return sameColumns && a.ID == b.ID && a.Options.Access == b.Options.Access
}

// altering is a session as package schema asks it.
type altering struct{ s *Session }

func (a altering) DefaultOf(ctx context.Context, c *kalam.Column) (kalam.Value, error) {
	return a.s.defaultValue(ctx, c)
}

func (a altering) MayCreate(kind kalam.TableKind, ns kalam.NamespaceID) error {
	return a.s.Access.MayCreate(a.s.Principal, kind, ns)
}

func (a altering) MayAlter(t *kalam.Table) error {
	return a.s.Access.May(a.s.Principal, t, access.Alter)
}

func (a altering) HasTable(id kalam.TableID) bool {
	_, taken := a.s.Catalog.Table(id)
	return taken
}
