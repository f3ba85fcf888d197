package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/tableopts"
	"github.com/kalamlake/kalam/sqltext"
)

// alterTable parses what follows ALTER [kind] TABLE.
func (p *parser) alterTable(kind kalam.TableKind) (ast.Statement, error) {
	st := &ast.AlterTable{Kind: kind}
	var err error
	if st.Name, err = p.tableName(); err != nil {
		return nil, err
	}
	switch {
	case p.accept("SET", "STORAGE"), p.accept("SET", "STORAGE_ID"):
		return p.moveTable(st)
	case p.accept("ADD"):
		err = p.addColumn(st)
	case p.accept("DROP"):
		err = p.dropColumn(st)
	case p.accept("MODIFY"):
		p.accept("COLUMN")
		err = p.modifyColumn(st)
	case p.accept("RENAME"):
		err = p.renameColumn(st)
	case p.accept("ALTER"):
		p.accept("COLUMN")
		err = p.alterColumn(st)
	case p.accept("SET", "ACCESS", "LEVEL"):
		err = p.setAccess(st)
	case p.accept("SET", "TBLPROPERTIES"):
		err = p.setProperties(st)
	case p.is("CREATE"):
		err = p.vectorIndex()
	default:
		err = p.unexpected("ADD, DROP, MODIFY, RENAME or ALTER COLUMN, SET ACCESS LEVEL, SET STORAGE or SET TBLPROPERTIES")
	}
	if err != nil {
		return nil, err
	}
	switch {
	case p.isPunct(','):
		return nil, unsupported(p.tok.Pos, "ALTER TABLE takes one operation; write a statement for each")
	case p.is("FIRST"), p.is("AFTER"):
		return nil, unsupported(p.tok.Pos, "%s is not supported; columns keep the order of their creation", p.words(1))
	}
	return st, nil
}

func (p *parser) vectorIndex() error {
	return unsupported(p.tok.Pos, "Vector indexes are not supported")
}

// existingColumn consumes the name of a column that is to be changed. System
// columns cannot be.
func (p *parser) existingColumn() (ast.Ident, error) {
	id, err := p.stored("column name")
	if err == nil && sqltext.WordIn(id.Name, reservedColumns) {
		err = syntaxError(id.Pos, "Column '%s' is a system column and cannot be changed", id.Name)
	}
	return id, err
}

func (p *parser) addColumn(st *ast.AlterTable) error {
	st.Op = ast.AlterAddColumn
	if p.isAny(" CONSTRAINT PRIMARY UNIQUE FOREIGN CHECK ") {
		return unsupported(p.tok.Pos, "ALTER TABLE ADD %s is not supported", p.words(1))
	}
	if p.accept("COLUMN"); p.accept("IF", "NOT", "EXISTS") {
		st.IfExists = true
	}
	pos := p.tok.Pos
	c, err := p.columnDef()
	if err != nil {
		return err
	}
	if c.primary {
		return unsupported(pos, "A PRIMARY KEY column cannot be added; the key is declared in CREATE TABLE")
	}
	st.Column = ast.Ident{Name: c.def.Name, Pos: pos}
	st.Def = &c.def
	return nil
}

func (p *parser) dropColumn(st *ast.AlterTable) (err error) {
	st.Op = ast.AlterDropColumn
	switch {
	case p.is("VECTOR"), p.is("INDEX"):
		return p.vectorIndex()
	case p.isAny(" CONSTRAINT PRIMARY "):
		return unsupported(p.tok.Pos, "ALTER TABLE DROP %s is not supported", p.words(1))
	}
	p.accept("COLUMN")
	st.IfExists = p.accept("IF", "EXISTS")
	st.Column, err = p.existingColumn()
	return err
}

// modifyColumn consumes c type [NULL | NOT NULL].
func (p *parser) modifyColumn(st *ast.AlterTable) (err error) {
	st.Op = ast.AlterModifyColumn
	if st.Column, err = p.existingColumn(); err != nil {
		return err
	}
	if err := p.newType(st); err != nil {
		return err
	}
	switch {
	case p.accept("NOT", "NULL"):
		st.Null = ast.NullRefused
		st.Def.NotNull = true
	case p.accept("NULL"):
		st.Null = ast.NullAllowed
	case p.is("DEFAULT"):
		return unsupported(p.tok.Pos, "MODIFY COLUMN does not take DEFAULT; use ALTER COLUMN %s SET DEFAULT",
			st.Column.Name)
	}
	return nil
}

// newType consumes the type that a column is to get.
func (p *parser) newType(st *ast.AlterTable) error {
	pos := p.tok.Pos
	t, serial, err := p.dataType(st.Column.Name)
	if err != nil {
		return err
	}
	if serial {
		return unsupported(pos, "A column cannot be changed to a SERIAL type")
	}
	st.Def = &kalam.Column{Name: strings.Clone(st.Column.Name), Type: t}
	return nil
}

// renameColumn consumes [COLUMN] a TO b, or TO name for the table itself.
func (p *parser) renameColumn(st *ast.AlterTable) (err error) {
	st.Op = ast.AlterRenameColumn
	if p.accept("TO") {
		st.Op = ast.AlterRenameTable
		st.NewName, err = p.newTableName()
		return err
	}
	p.accept("COLUMN")
	if st.Column, err = p.existingColumn(); err != nil {
		return err
	}
	if err := p.expect("TO"); err != nil {
		return err
	}
	if st.To, err = p.anyIdent("column name"); err != nil {
		return err
	}
	return located(CheckColumnName(st.To), st.To.Pos)
}

// alterColumn consumes c {SET NOT NULL | DROP NOT NULL | SET DEFAULT e |
// DROP DEFAULT | [SET DATA] TYPE t}.
func (p *parser) alterColumn(st *ast.AlterTable) (err error) {
	if st.Column, err = p.existingColumn(); err != nil {
		return err
	}
	switch {
	case p.accept("SET", "NOT", "NULL"):
		st.Op = ast.AlterSetNotNull
	case p.accept("DROP", "NOT", "NULL"):
		st.Op = ast.AlterDropNotNull
	case p.accept("DROP", "DEFAULT"):
		st.Op = ast.AlterDropDefault
	case p.accept("SET", "DEFAULT"):
		st.Op = ast.AlterSetDefault
		st.Def = &kalam.Column{Name: strings.Clone(st.Column.Name)}
		return p.defaultValue(st.Def)
	case p.accept("SET", "DATA", "TYPE"), p.accept("TYPE"):
		st.Op = ast.AlterModifyColumn
		if err := p.newType(st); err != nil {
			return err
		}
		if p.is("USING") {
			return unsupported(p.tok.Pos, "ALTER COLUMN ... TYPE ... USING is not supported; types can only be widened")
		}
	default:
		return p.unexpected("SET NOT NULL, DROP NOT NULL, SET DEFAULT, DROP DEFAULT or TYPE")
	}
	return nil
}

func (p *parser) setAccess(st *ast.AlterTable) error {
	st.Op = ast.AlterSetAccess
	o := tableopts.Set{}
	if err := p.optionValue(&o, "ACCESS_LEVEL", p.tok.Pos, false); err != nil {
		return err
	}
	st.Options, st.Given = o.Table, o.Given
	return nil
}

func (p *parser) setProperties(st *ast.AlterTable) error {
	st.Op = ast.AlterSetProperties
	o := tableopts.Set{}
	pos := p.tok.Pos
	if err := p.optionList(&o); err != nil {
		return err
	}
	if o.Given == 0 {
		return syntaxError(pos, "SET TBLPROPERTIES names no option")
	}
	if o.Given.Has(ast.OptionType) || o.Kind != kalam.TableKind(0) {
		return unsupported(pos, "The type of a table cannot be changed")
	}
	st.Options, st.Given, st.CronPos, st.CronTZPos = o.Table, o.Given, o.CronPos, o.ZonePos
	return nil
}

// comment parses COMMENT ON {TABLE t | COLUMN t.c} IS {'text' | NULL}.
func (p *parser) comment() (ast.Statement, error) {
	if err := p.expect("COMMENT", "ON"); err != nil {
		return nil, err
	}
	st := &ast.AlterTable{Op: ast.AlterComment}
	ofColumn := p.accept("COLUMN")
	if !ofColumn && !p.accept("TABLE") {
		return nil, p.unexpected("TABLE or COLUMN")
	}
	var err error
	if st.Name, err = p.tableName(); err != nil {
		return nil, err
	}
	if ofColumn {
		last := len(st.Name.Parts) - 1
		if last == 0 {
			return nil, syntaxError(st.Name.Pos, "COMMENT ON COLUMN takes table.column or namespace.table.column")
		}
		st.Column = ast.Ident{Name: st.Name.Parts[last], Pos: st.Name.Pos}
		st.Name.Parts = st.Name.Parts[:last]
		if sqltext.WordIn(st.Column.Name, reservedColumns) {
			return nil, syntaxError(st.Column.Pos, "Column '%s' is a system column and cannot be changed", st.Column.Name)
		}
	}
	if err := p.expect("IS"); err != nil {
		return nil, err
	}
	if p.accept("NULL") {
		return st, nil
	}
	text, err := p.str("comment")
	st.Comment = strings.Clone(text)
	return st, err
}
