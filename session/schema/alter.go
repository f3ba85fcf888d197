package schema

import (
	"context"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Session is what an alteration asks of the session that runs it.
type Session interface {
	// DefaultOf returns what the DEFAULT of a column gives now.
	DefaultOf(ctx context.Context, c *kalam.Column) (kalam.Value, error)
	// MayCreate and MayAlter give the error of a table that the principal may not make, or alter.
	MayCreate(kind kalam.TableKind, ns kalam.NamespaceID) error
	MayAlter(t *kalam.Table) error
	// HasTable reports whether a name is taken.
	HasTable(id kalam.TableID) bool
}

// Rule is what the rows of a table have to meet before it is altered.
type Rule struct {
	Column *kalam.Column // Of the next version; nil: there is no rule.
	Pos    int           // Of its name in the statement.
	Stored bool          // The column is there already and must not hold NULL. Otherwise there must be no row.
	PerRow bool          // Because its default gives each row another value.
}

// Alteration is an ALTER TABLE on its way to the next version of the table. It changes Next only.
type Alteration struct {
	Next kalam.Table // A copy of the newest version, to be changed.
	Rule Rule        // What rows that are there have to meet.
	Note string      // What the answer says beside.

	session Session
	st      *ast.AlterTable
	was     *kalam.Table // The newest version.
}

// NewAlteration returns the alteration of t, the newest version of a table, by a statement.
func NewAlteration(s Session, st *ast.AlterTable, t *kalam.Table) *Alteration {
	a := &Alteration{session: s, st: st, was: t, Next: *t}
	a.Next.Columns = slices.Clone(t.Columns)
	a.Next.PrimaryKey = slices.Clone(t.PrimaryKey)
	return a
}

// Apply changes Next; changed is false when it is already as the statement wants it.
func (a *Alteration) Apply(ctx context.Context) (changed bool, err error) {
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
func (a *Alteration) column(id ast.Ident) (int, error) {
	at := a.was.ColumnIndex(id.Name)
	if at < 0 {
		return 0, kalam.Errorf(kalam.CodeInvalidOperation, "Column '%s' does not exist in table %s", id.Name,
			a.was.ID).Lacks(kalam.MissingColumn, id.Name).At(id.Pos)
	}
	return at, nil
}

// free refuses a name that another column has.
func (a *Alteration) free(id ast.Ident) error {
	if a.was.ColumnIndex(id.Name) >= 0 {
		return kalam.Errorf(kalam.CodeAlreadyExists, "Column '%s' already exists in table %s", id.Name,
			a.was.ID).Lacks(kalam.MissingColumn, id.Name).At(id.Pos)
	}
	return nil
}

func (a *Alteration) addColumn(ctx context.Context) (bool, error) {
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
	a.Next.Columns = append(a.Next.Columns, c)
	if perRow || c.NotNull && c.Missing.IsNull() {
		a.Rule = Rule{Column: &a.Next.Columns[len(a.Next.Columns)-1], Pos: st.Column.Pos, PerRow: perRow}
	}
	return true, nil
}

// fillOlder decides what the rows that are there hold in a new column: what its DEFAULT gives now. perRow says that it
// gives each row another value, so that there may be no row.
func (a *Alteration) fillOlder(ctx context.Context, c *kalam.Column) (perRow bool, err error) {
	if c.Default == nil {
		return false, nil
	}
	switch c.Default.Func {
	case kalam.DefaultSnowflakeID, kalam.DefaultUUIDV7, kalam.DefaultULID, kalam.DefaultCounter:
		return true, nil
	default:
		c.Missing, err = a.session.DefaultOf(ctx, c)
		return false, err
	}
}

// castDefault turns a literal default of a column into a value of its type.
func (a *Alteration) castDefault(c *kalam.Column) error {
	one := kalam.Table{Columns: []kalam.Column{*c}}
	err := CastDefaults(&one)
	*c = one.Columns[0]
	return err
}

func (a *Alteration) dropColumn() (bool, error) {
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
	a.Next.Columns = slices.Delete(a.Next.Columns, at, at+1)
	for i, k := range a.Next.PrimaryKey {
		if k > at {
			a.Next.PrimaryKey[i]--
		}
	}
	return true, nil
}

func (a *Alteration) renameColumn() (bool, error) {
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
	a.Next.Columns[at].Name = a.st.To.Name
	return true, nil
}

// renameTable gives the table another name in its namespace. Its files and rows stay where they are.
func (a *Alteration) renameTable() (bool, error) {
	name := a.st.NewName
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
	if err := a.session.MayCreate(a.was.Kind, id.Namespace); err != nil {
		return false, err
	}
	if a.session.HasTable(id) {
		return false, kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", id).At(name.Pos)
	}
	a.Next.ID = id
	return true, nil
}

// comment sets the comment of the table or of a column.
func (a *Alteration) comment() (bool, error) {
	on := &a.Next.Comment
	if a.st.Column.Name != "" {
		at, err := a.column(a.st.Column)
		if err != nil {
			return false, err
		}
		on = &a.Next.Columns[at].Comment
	}
	changed := *on != a.st.Comment
	*on = a.st.Comment
	return changed, nil
}

// alterColumn changes the type, the nullability or the default of a column.
func (a *Alteration) alterColumn(at int) (bool, error) {
	c := &a.Next.Columns[at]
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
func (a *Alteration) setNotNull(c *kalam.Column, on bool) bool {
	if c.NotNull == on {
		return false
	}
	if c.NotNull = on; on {
		a.Rule = Rule{Column: c, Pos: a.st.Column.Pos, Stored: true}
	}
	return true
}

func (a *Alteration) setDefault(c *kalam.Column) (bool, error) {
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
func (a *Alteration) modifyColumn(at int) (bool, error) {
	c, st := &a.Next.Columns[at], a.st
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
func (a *Alteration) castValues(c *kalam.Column) (err error) {
	if c.Missing, err = datatype.CastColumn(c, c.Missing); err != nil {
		return err
	}
	return a.castDefault(c)
}

// CastDefaults turns literal defaults into values of their column's type, so
// that a default that does not fit is refused now and not at an INSERT.
func CastDefaults(t *kalam.Table) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Default == nil || c.Default.Func != kalam.DefaultLiteral {
			continue
		}
		v, err := datatype.CastColumn(c, c.Default.Value)
		if err != nil {
			return err
		}
		if v.IsNull() && c.NotNull {
			return kalam.Errorf(kalam.CodeConstraint, "DEFAULT NULL does not fit column '%s', which is NOT NULL",
				c.Name)
		}
		d := *c.Default
		d.Value = v
		c.Default = &d
	}
	return nil
}
