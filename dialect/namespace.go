package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/spelling"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// reservedNamespaces cannot be created.
const reservedNamespaces = " SYSTEM SYS ROOT KALAMDB KALAM MAIN DEFAULT SQL ADMIN INTERNAL " +
	"INFORMATION_SCHEMA PG_CATALOG DATAFUSION DUCKDB TEMP MEMORY "

// CheckNamespaceName reports why id, already folded to lower case, cannot name
// a new namespace: its form, a reserved word, or a reserved name. The error is
// CodeInvalidSQL.
func CheckNamespaceName(id string) error {
	if sqltext.WordIn(id, reservedNamespaces) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Namespace name '%s' is reserved", id)
	}
	return checkName("namespace", id)
}

// CheckTableName is CheckNamespaceName for tables.
func CheckTableName(name string) error { return checkName("table", name) }

// reservedColumns are names the server keeps for itself.
const reservedColumns = ` _SEQ _DELETED _ID _ROW_ID _ROWID _KEY _UPDATED _CREATED _TIMESTAMP _VERSION _HASH `

// CheckColumnName is CheckNamespaceName for columns. In quotes a column may be
// called by a reserved word, but by those that are functions.
func CheckColumnName(id ast.Ident) error {
	switch {
	case sqltext.WordIn(id.Name, reservedColumns):
		return kalam.Errorf(kalam.CodeInvalidSQL, "Column name '%s' is reserved for the system", id.Name)
	case id.Quoted && !sqltext.IsValueWord(id.Name):
		return kalam.CheckIdentifier("column", id.Name)
	}
	if sqltext.WordIn(id.Name, spelling.ColumnWords) {
		return nil
	}
	err := checkName("column", id.Name)
	if err != nil && !id.Quoted && sqltext.IsReservedName(id.Name) && !sqltext.IsValueWord(id.Name) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "column name '%s' is a reserved word: it needs quotes, \"%s\"",
			id.Name,
			id.Name)
	}
	return err
}

func checkName(what, name string) error {
	if err := kalam.CheckIdentifier(what, name); err != nil {
		return err
	}
	if sqltext.IsReservedName(name) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "%s name '%s' is a reserved word", what, name)
	}
	return nil
}

// anyIdent consumes an identifier for a check that words reserved names itself.
func (p *parser) anyIdent(what string) (ast.Ident, error) {
	if p.tok.Kind == sqltext.Word && len(p.text(p.tok)) <= maxName {
		id := ast.Ident{Name: sqltext.Fold(p.text(p.tok)), Pos: p.tok.Pos}
		p.advance()
		return id, nil
	}
	return p.stored(what)
}

// namespaceName consumes the name of a namespace where nothing else can stand:
// any word, or a name that is quoted in any way.
func (p *parser) namespaceName() (ast.Ident, error) {
	if p.isString() {
		return p.looseIdent("namespace name")
	}
	return p.anyIdent("namespace name")
}

func (p *parser) createNamespace() (ast.Statement, error) {
	st := &ast.CreateNamespace{IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	id, err := p.anyIdent("namespace name")
	if err != nil {
		return nil, err
	}
	if id.Name != string(kalam.DefaultNamespace) { // That one exists, and is a reserved word.
		if err := CheckNamespaceName(id.Name); err != nil {
			return nil, located(err, id.Pos)
		}
	}
	st.Namespace, st.Pos = kalam.NamespaceID(id.Name), id.Pos
	if p.is("WITH") || p.is("OPTIONS") {
		p.accept("WITH")
		if err := p.expect("OPTIONS"); err != nil {
			return nil, err
		}
		st.Options, err = p.properties()
	}
	return st, err
}

func (p *parser) alterNamespace() (ast.Statement, error) {
	st := &ast.AlterNamespace{}
	var err error
	if st.Namespace, err = p.anyIdent("namespace name"); err != nil {
		return nil, err
	}
	if err := p.expect("SET", "OPTIONS"); err != nil {
		return nil, err
	}
	st.Options, err = p.properties()
	return st, err
}

func (p *parser) dropNamespace() (ast.Statement, error) {
	st := &ast.DropNamespace{IfExists: p.accept("IF", "EXISTS")}
	id, err := p.anyIdent("namespace name")
	if err != nil {
		return nil, err
	}
	st.Namespace = id
	if st.Cascade = p.accept("CASCADE"); !st.Cascade {
		p.accept("RESTRICT")
	}
	return st, nil
}

// properties consumes ( key = value {, key = value} ).
func (p *parser) properties() ([]ast.Property, error) {
	if err := p.expectPunct('('); err != nil {
		return nil, err
	}
	var out []ast.Property
	seen := map[string]int{}
	for !p.isPunct(')') {
		x, err := p.property()
		if err != nil {
			return nil, err
		}
		if i, ok := seen[x.Key]; !ok {
			seen[x.Key] = len(out)
			out = append(out, x)
		} else if out[i].Value != x.Value {
			return nil, twice(x.Pos, sqltext.Short(x.Key))
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	return out, p.expectPunct(')')
}

func (p *parser) property() (x ast.Property, err error) {
	key, err := p.looseIdent("option name")
	if err != nil {
		return x, err
	}
	x.Key, x.Pos = key.Name, key.Pos
	if err := p.expectAssign(); err != nil {
		return x, err
	}
	e, ok, err := p.simple()
	if err != nil {
		return x, err
	}
	if ok {
		if x.Value, ok = propertyValue(e); ok {
			return x, nil
		}
	}
	return x, syntaxError(e.Pos, "Option '%s' takes a string, a number, TRUE or FALSE", sqltext.Short(x.Key))
}

// propertyValue returns a literal as a value of the kind it is written in.
func propertyValue(e ast.Expr) (kalam.Value, bool) {
	switch e.Kind {
	case ast.ExprString:
		return kalam.Text(strings.Clone(e.Text)), true
	case ast.ExprBool:
		return kalam.Bool(e.Bool), true
	case ast.ExprNumber:
		if n, err := strconv.ParseInt(e.Text, 10, 64); err == nil {
			return kalam.BigInt(n), true
		}
		f, err := strconv.ParseFloat(e.Text, 64)
		return kalam.Double(f), err == nil
	default:
		return kalam.Value{}, false
	}
}
