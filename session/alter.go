package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// alteration is an ALTER TABLE on its way to the next version of the table. It changes next only.
type alteration struct {
	session *Session
	st      *ast.AlterTable
	was     *kalam.Table // The newest version.
	next    kalam.Table  // A copy of it, to be changed.
	rule    rule         // What rows that are there have to meet.
	note    string       // What the answer says beside.
}

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
	open, err := s.server.gates.shut(ctx, was.Number)
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
	a := newAlteration(s, st, t)
	changed, err := a.apply(ctx)
	if err != nil {
		return "", err
	}
	if !changed {
		return fmt.Sprintf("Table %s unchanged: %s (version %d - no changes needed)", t.ID, st.Operation(),
			t.SchemaVersion), nil
	}
	if err := a.rule.check(ctx, s, t, seen); err != nil {
		return "", err
	}
	altered, err := s.Catalog.AlterTable(ctx, a.next, st.Operation())
	if err != nil {
		return "", err
	}
	if !sameRows(t, altered) {
		s.server.Hub.CloseTable(t.Number, tableAltered(altered))
	}
	s.server.Maintenance.Changed(altered)
	return fmt.Sprintf("Table %s altered successfully: %s (version %d)%s", t.ID, st.Operation(), altered.SchemaVersion,
		a.note), nil
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
	a := newAlteration(s, st, t)
	if changed, err := a.apply(ctx); err != nil || !changed || a.rule.column == nil {
		return 0, err
	}
	point := s.Store.Begin()
	seen := point.Seq()
	point.Release()
	return seen, a.rule.check(ctx, s, t, 0)
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

func newAlteration(s *Session, st *ast.AlterTable, t *kalam.Table) *alteration {
	a := &alteration{session: s, st: st, was: t, next: *t}
	a.next.Columns = slices.Clone(t.Columns)
	a.next.PrimaryKey = slices.Clone(t.PrimaryKey)
	return a
}

// apply changes next; changed is false when it is already as the statement wants it.
func (a *alteration) apply(ctx context.Context) (changed bool, err error) {
	switch st := a.st; st.Op {
	case ast.AlterAddColumn:
		return a.addColumn(ctx)
	case ast.AlterDropColumn:
		return a.dropColumn()
	case ast.AlterRenameColumn:
		return a.renameColumn()
	case ast.AlterSetAccess, ast.AlterSetProperties:
		return a.setOptions()
	case ast.AlterRenameTable:
		return a.renameTable()
	case ast.AlterComment:
		return a.comment()
	default:
		at, err := a.column(st.Column)
		if err != nil {
			return false, err
		}
		return a.alterColumn(at)
	}
}

// column returns the index of the column that the statement names.
func (a *alteration) column(id ast.Ident) (int, error) {
	at := a.was.ColumnIndex(id.Name)
	if at < 0 {
		return 0, kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' does not exist in table %s", id.Name,
			a.was.ID).At(id.Pos)
	}
	return at, nil
}

// free refuses a name that another column has.
func (a *alteration) free(id ast.Ident) error {
	if a.was.ColumnIndex(id.Name) >= 0 {
		return kalam.Errorf(kalam.CodeAlreadyExists, "Column '%s' already exists in table %s", id.Name,
			a.was.ID).At(id.Pos)
	}
	return nil
}

func (a *alteration) addColumn(ctx context.Context) (bool, error) {
	st := a.st
	if err := a.free(st.Column); err != nil {
		if st.IfExists {
			return false, nil //nolint:nilerr // IF NOT EXISTS: it is there.
		}
		return false, err
	}
	c := *st.Def
	if err := a.castDefault(&c); err != nil {
		return false, kalam.Positioned(err, st.Column.Pos)
	}
	perRow, err := a.fillOlder(ctx, &c)
	if err != nil {
		return false, err
	}
	a.next.Columns = append(a.next.Columns, c)
	if perRow || c.NotNull && c.Missing.IsNull() {
		a.rule = rule{column: &a.next.Columns[len(a.next.Columns)-1], pos: st.Column.Pos, perRow: perRow}
	}
	return true, nil
}

// fillOlder decides what the rows that are there hold in a new column: what its DEFAULT gives now. perRow says that it
// gives each row another value, so that there may be no row.
func (a *alteration) fillOlder(ctx context.Context, c *kalam.Column) (perRow bool, err error) {
	if c.Default == nil {
		return false, nil
	}
	switch c.Default.Func {
	case kalam.DefaultSnowflakeID, kalam.DefaultUUIDV7, kalam.DefaultULID, kalam.DefaultCounter:
		return true, nil
	default:
		c.Missing, err = a.session.defaultValue(ctx, c)
		return false, err
	}
}

// castDefault turns a literal default of a column into a value of its type.
func (a *alteration) castDefault(c *kalam.Column) error {
	one := kalam.Table{Columns: []kalam.Column{*c}}
	err := a.session.castDefaults(&one)
	*c = one.Columns[0]
	return err
}

func (a *alteration) dropColumn() (bool, error) {
	at, err := a.column(a.st.Column)
	switch {
	case err != nil && a.st.IfExists:
		return false, nil //nolint:nilerr // IF EXISTS: it is not there.
	case err != nil:
		return false, err
	case a.was.IsKey(at):
		return false, kalam.Errorf(kalam.CodeInvalidOperation,
			"Column '%s' is part of the PRIMARY KEY and cannot be dropped: rows are found by it",
			a.st.Column.Name).At(a.st.Column.Pos)
	case len(a.was.Columns) == 1:
		return false, kalam.Errorf(kalam.CodeInvalidOperation,
			"Column '%s' is the only one of table %s and cannot be dropped", a.st.Column.Name,
			a.was.ID).At(a.st.Column.Pos)
	}
	a.next.Columns = slices.Delete(a.next.Columns, at, at+1)
	for i, k := range a.next.PrimaryKey {
		if k > at {
			a.next.PrimaryKey[i]--
		}
	}
	return true, nil
}

func (a *alteration) renameColumn() (bool, error) {
	at, err := a.column(a.st.Column)
	if err != nil {
		return false, err
	}
	if a.st.To.Name == a.st.Column.Name {
		return false, nil
	}
	if err := a.free(a.st.To); err != nil {
		return false, err
	}
	a.next.Columns[at].Name = a.st.To.Name
	return true, nil
}

// renameTable gives the table another name in its namespace. Its files and rows stay where they are.
func (a *alteration) renameTable() (bool, error) {
	s, name := a.session, a.st.NewName
	id, err := access.TableID(a.was.ID.Namespace, name)
	switch {
	case err != nil:
		return false, err
	case id.Namespace != a.was.ID.Namespace:
		return false, kalam.Errorf(kalam.CodeInvalidOperation, "Table %s cannot be moved to another namespace",
			a.was.ID).At(name.Pos)
	case id == a.was.ID:
		return false, nil
	}
	if err := s.Access.MayCreate(s.Principal, a.was.Kind, id.Namespace); err != nil {
		return false, err
	}
	if _, taken := s.Catalog.Table(id); taken {
		return false, kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", id).At(name.Pos)
	}
	a.next.ID = id
	return true, nil
}

// comment sets the comment of the table or of a column.
func (a *alteration) comment() (bool, error) {
	on := &a.next.Comment
	if a.st.Column.Name != "" {
		at, err := a.column(a.st.Column)
		if err != nil {
			return false, err
		}
		on = &a.next.Columns[at].Comment
	}
	changed := *on != a.st.Comment
	*on = a.st.Comment
	return changed, nil
}

// alterColumn changes the type, the nullability or the default of a column.
func (a *alteration) alterColumn(at int) (bool, error) {
	c := &a.next.Columns[at]
	switch a.st.Op {
	case ast.AlterModifyColumn:
		return a.modifyColumn(at)
	case ast.AlterSetNotNull:
		return a.setNotNull(c, true), nil
	case ast.AlterDropNotNull:
		if a.was.IsKey(at) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"Column '%s' is part of the PRIMARY KEY, which is always NOT NULL", c.Name).At(a.st.Column.Pos)
		}
		return a.setNotNull(c, false), nil
	case ast.AlterDropDefault:
		had := c.Default != nil
		c.Default = nil
		return had, nil
	case ast.AlterSetDefault:
		return a.setDefault(c)
	default:
		return false, kalam.Errorf(kalam.CodeInternal, "unknown operation %d of ALTER TABLE", a.st.Op)
	}
}

// setNotNull reports whether it changes anything.
func (a *alteration) setNotNull(c *kalam.Column, on bool) bool {
	if c.NotNull == on {
		return false
	}
	if c.NotNull = on; on {
		a.rule = rule{column: c, pos: a.st.Column.Pos, stored: true}
	}
	return true
}

func (a *alteration) setDefault(c *kalam.Column) (bool, error) {
	d := a.st.Def.Default
	if err := dialect.CheckDefault(c.Name, c.Type, d.Func); err != nil {
		return false, kalam.Positioned(err, a.st.Column.Pos)
	}
	before := c.Default
	c.Default = d
	if err := a.castDefault(c); err != nil {
		return false, kalam.Positioned(err, a.st.Column.Pos)
	}
	return before == nil || *before != *c.Default, nil
}

// modifyColumn widens the type of a column, and sets whether it takes NULL.
func (a *alteration) modifyColumn(at int) (bool, error) {
	c, st := &a.next.Columns[at], a.st
	changed := false
	if to := st.Def.Type; to != c.Type {
		if a.was.IsKey(at) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"Column '%s' is part of the PRIMARY KEY: its type cannot be changed, rows are stored under its bytes",
				c.Name).At(st.Column.Pos)
		}
		if !datatype.Widenable(c.Type, to) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"Column '%s' cannot be changed from %s to %s: a type can only be widened, %s", c.Name, c.Type, to,
				datatype.WiderThan(c.Type)).At(st.Column.Pos)
		}
		c.Type = to
		if err := a.castValues(c); err != nil {
			return false, kalam.Positioned(err, st.Column.Pos)
		}
		changed = true
	}
	switch st.Null {
	case ast.NullRefused:
		changed = a.setNotNull(c, true) || changed
	case ast.NullAllowed:
		if a.was.IsKey(at) {
			return false, kalam.Errorf(kalam.CodeInvalidOperation,
				"Column '%s' is part of the PRIMARY KEY, which is always NOT NULL", c.Name).At(st.Column.Pos)
		}
		changed = a.setNotNull(c, false) || changed
	case ast.NullUnchanged:
	}
	return changed, nil
}

// castValues turns what the definition of a column holds into values of its new type.
func (a *alteration) castValues(c *kalam.Column) (err error) {
	if c.Missing, err = datatype.CastColumn(c, c.Missing); err != nil {
		return err
	}
	return a.castDefault(c)
}
