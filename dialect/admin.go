package dialect

import (
	"math"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/dialect/tableopts"
	"github.com/kalamlake/kalam/sqltext"
)

// tableKindWord returns the table kind that the current word is in front of
// TABLE; 0 when TABLE itself or anything else is next.
func (p *parser) tableKindWord() kalam.TableKind {
	if !p.nextIs("TABLE") {
		return 0
	}
	switch {
	case p.is("USER"):
		return kalam.KindUserTable
	case p.is("SHARED"):
		return kalam.KindSharedTable
	case p.is("STREAM"):
		return kalam.KindStreamTable
	}
	return 0
}

// dispatch tries the second word of CREATE, ALTER and DROP.
func (p *parser) dispatch(
	table func(kalam.TableKind) (ast.Statement, error), namespace, user, storage func() (ast.Statement, error),
) (ast.Statement, error) {
	l, tok, prev := p.lex, p.tok, p.prev
	p.advance()
	kind := p.tableKindWord()
	if kind != 0 {
		p.advance()
	}
	switch {
	case p.accept("TABLE"):
		return table(kind)
	case p.accept("NAMESPACE"):
		return namespace()
	case p.accept("USER"):
		return user()
	case p.accept("STORAGE"):
		return storage()
	}
	p.lex, p.tok, p.prev = l, tok, prev
	return nil, p.unknown()
}

func (p *parser) create() (ast.Statement, error) {
	if p.accept("CREATE", "API", "KEY") {
		return p.createAPIKey()
	}
	if p.accept("CREATE", "POLICY") {
		return p.createPolicy()
	}
	return p.dispatch(p.createTable, p.createNamespace, p.createUser, p.createStorage)
}

func (p *parser) alter() (ast.Statement, error) {
	return p.dispatch(p.alterTable, p.alterNamespace, p.alterUser, p.alterStorage)
}

func (p *parser) drop() (ast.Statement, error) {
	if p.accept("DROP", "API", "KEY") {
		return p.dropAPIKey()
	}
	if p.accept("DROP", "POLICY") {
		return p.dropPolicy()
	}
	return p.dispatch(p.dropTable, p.dropNamespace, p.dropUser, p.dropStorage)
}

// namespaceClause consumes [IN|FROM [NAMESPACE] ns]; nil if there is none.
func (p *parser) namespaceClause() (*ast.Ident, error) {
	if !p.accept("IN") && !p.accept("FROM") {
		return nil, nil
	}
	p.accept("NAMESPACE")
	id, err := p.namespaceName()
	return &id, err
}

// show parses SHOW; the current token is the word.
func (p *parser) show() (ast.Statement, error) {
	switch {
	case p.accept("SHOW", "NAMESPACES"), p.accept("SHOW", "DATABASES"), p.accept("SHOW", "SCHEMAS"):
		return &ast.ShowNamespaces{}, nil
	case p.accept("SHOW", "TABLES"):
		ns, err := p.namespaceClause()
		return &ast.ShowTables{Namespace: ns}, err
	case p.accept("SHOW", "STORAGES"):
		return &ast.ShowStorages{}, nil
	case p.accept("SHOW", "EXPORT"), p.accept("SHOW", "EXPORTS"):
		return &ast.ShowExport{}, nil
	case p.accept("SHOW", "GRANTS"):
		return p.showGrants()
	case p.accept("SHOW", "POLICIES"):
		return p.showPolicies()
	case p.accept("SHOW", "JOBS"):
		return &ast.ShowJobs{}, nil
	case p.accept("SHOW", "CREATE", "TABLE"), p.accept("SHOW", "CREATE", "VIEW"):
		t, err := p.tableName()
		return &ast.ShowCreate{Table: t}, err
	case p.accept("SHOW", "COLUMNS"):
		if !p.accept("FROM") && !p.accept("IN") {
			return nil, p.unexpected("FROM")
		}
		t, err := p.tableName()
		return &ast.ShowColumns{Table: t}, err
	case p.accept("SHOW", "TABLE", "STATS"):
		t, err := p.tableName()
		return &ast.ShowStats{Table: t}, err
	case p.accept("SHOW", "MANIFEST"):
		if !p.accept("FOR") {
			return &ast.ShowManifest{}, nil
		}
		p.accept("TABLE")
		t, err := p.tableName()
		return &ast.ShowManifest{Table: &t}, err
	case p.accept("SHOW", "STATS"):
		if err := p.expect("FOR", "TABLE"); err != nil {
			return nil, err
		}
		t, err := p.tableName()
		return &ast.ShowStats{Table: t}, err
	}
	return p.showSetting()
}

// describe parses DESCRIBE and DESC of a table or a query.
func (p *parser) describe() (ast.Statement, error) {
	if t := p.peek(); isQueryStart(p.src(), t) && !(t.Kind == sqltext.Word && sqltext.IsWord(p.text(t), "TABLE")) {
		return p.query()
	}
	p.advance()
	if t := p.peek(); p.is("PREPARED") && (t.Kind == sqltext.Word || t.Kind == sqltext.Quoted) && !p.nextIs("HISTORY") {
		p.advance()
		id, err := p.statementName()
		return &ast.DescribePrepared{Name: id}, err
	}
	p.accept("TABLE")
	st := &ast.Describe{}
	var err error
	if st.Table, err = p.tableName(); err != nil {
		return nil, err
	}
	if st.History = p.accept("HISTORY"); st.History && p.accept("LIMIT") {
		var n int64
		pos := p.tok.Pos
		if n, err = p.integer("LIMIT", math.MaxInt32); err == nil && n == 0 {
			err = syntaxError(pos, "LIMIT of DESCRIBE ... HISTORY must be at least 1")
		}
		st.Limit = int(n)
	}
	return st, err
}

// kill parses KILL JOB, KILL QUERY and KILL LIVE QUERY.
func (p *parser) kill() (ast.Statement, error) {
	switch {
	case p.accept("KILL", "JOB"):
		pos := p.tok.Pos
		id, err := p.bare("job id")
		return &ast.KillJob{Job: kalam.JobID(id), Pos: pos}, err
	case p.accept("KILL", "QUERY"):
		pos := p.tok.Pos
		id, err := p.bare("query id")
		return &ast.KillQuery{ID: id, Pos: pos}, err
	case p.accept("KILL", "LIVE", "QUERY"):
		pos := p.tok.Pos
		id, err := p.bare("live query id")
		return &ast.KillLive{ID: id, Pos: pos}, err
	}
	return nil, p.unknown()
}

// backup parses BACKUP DATABASE TO 'storage or directory'.
func (p *parser) backup() (ast.Statement, error) {
	if !p.accept("BACKUP", "DATABASE") {
		return nil, p.unknown()
	}
	if !p.accept("TO") {
		return nil, p.unexpected("TO")
	}
	pos := p.tok.Pos
	to, err := p.bare("storage id or directory")
	return &ast.BackupDatabase{To: strings.Clone(to), Pos: pos}, err
}

// storageCommand parses STORAGE FLUSH, COMPACT, VERIFY, CHECK and EXPORT.
func (p *parser) storageCommand() (ast.Statement, error) {
	switch {
	case p.accept("STORAGE", "FLUSH", "TABLE"):
		t, err := p.tableName()
		return &ast.FlushTable{Table: t}, err
	case p.accept("STORAGE", "FLUSH", "ALL"):
		ns, err := p.namespaceClause()
		return &ast.FlushAll{Namespace: ns}, err
	case p.accept("STORAGE", "COMPACT", "TABLE"):
		t, err := p.tableName()
		if err != nil {
			return nil, err
		}
		hours, err := p.retainClause()
		return &ast.CompactTable{Table: t, Retain: hours}, err
	case p.accept("STORAGE", "COMPACT", "ALL"):
		ns, err := p.namespaceClause()
		if err != nil {
			return nil, err
		}
		hours, err := p.retainClause()
		return &ast.CompactAll{Namespace: ns, Retain: hours}, err
	case p.accept("STORAGE", "EXPORT", "CATALOG"):
		return p.exportCatalog()
	case p.accept("STORAGE", "VERIFY"):
		return &ast.VerifyStorage{}, nil
	case p.accept("STORAGE", "CHECK"):
		pos := p.tok.Pos
		id, err := p.storageID()
		if err != nil {
			return nil, err
		}
		return &ast.CheckStorage{Storage: id, Extended: p.accept("EXTENDED"), Pos: pos}, nil
	case p.accept("STORAGE", "FLUSH"), p.accept("STORAGE", "COMPACT"):
		return nil, p.unexpected("TABLE or ALL")
	}
	return nil, p.unknown()
}

// exportCatalog parses what follows STORAGE EXPORT CATALOG: t [FOR USER 'u'] FORMAT [=] iceberg.
func (p *parser) exportCatalog() (st *ast.ExportCatalog, err error) {
	st = &ast.ExportCatalog{}
	if st.Table, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.accept("FOR") {
		if err := p.expect("USER"); err != nil {
			return nil, err
		}
		if st.User, st.Pos, err = p.userName(); err != nil {
			return nil, err
		}
	}
	if !p.accept("FORMAT") {
		return nil, p.unexpected("FORMAT iceberg")
	}
	p.acceptOp("=")
	pos := p.tok.Pos
	f, err := p.bare("format")
	if err != nil {
		return nil, err
	}
	if st.Format = sqltext.Fold(sqltext.Short(f)); st.Format != "iceberg" {
		return nil, syntaxError(pos, "FORMAT must be iceberg, got '%s'", sqltext.Short(f))
	}
	return st, nil
}

// retainClause parses RETAIN n HOURS, or PURGE DELETED, which is RETAIN 0 HOURS; nil is none.
func (p *parser) retainClause() (*int, error) {
	if p.accept("PURGE") {
		if !p.accept("DELETED") {
			return nil, p.unexpected("DELETED after PURGE")
		}
		return new(int), nil
	}
	if !p.accept("RETAIN") {
		return nil, nil
	}
	if p.tok.Kind != sqltext.Number {
		return nil, p.unexpected("a number of hours after RETAIN")
	}
	text := p.text(p.tok)
	hours, err := strconv.Atoi(sqltext.WithoutUnderscores(text))
	if err != nil || hours > tableopts.MaxRetentionHours {
		return nil, syntaxError(p.tok.Pos, "RETAIN must be between 0 and %d hours, got '%s'",
			tableopts.MaxRetentionHours, sqltext.Short(text))
	}
	p.advance()
	if !p.accept("HOURS") && !p.accept("HOUR") {
		return nil, p.unexpected("HOURS")
	}
	return &hours, nil
}

// export parses EXPORT USER DATA [[AS] FORMAT [=] parquet | csv | ndjson].
func (p *parser) export() (ast.Statement, error) {
	if !p.accept("EXPORT", "USER", "DATA") {
		return nil, p.unknown()
	}
	st := &ast.ExportData{Format: "parquet"}
	if !p.accept("AS", "FORMAT") && !p.accept("FORMAT") {
		return st, nil
	}
	p.acceptOp("=")
	pos := p.tok.Pos
	f, err := p.bare("format")
	if err != nil {
		return nil, err
	}
	switch st.Format = sqltext.Fold(sqltext.Short(f)); st.Format {
	case "parquet", "csv", "ndjson":
		return st, nil
	}
	return nil, syntaxError(pos, "FORMAT must be parquet, csv or ndjson, got '%s'", sqltext.Short(f))
}
