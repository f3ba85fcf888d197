package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// storageID consumes the id of a storage, bare or quoted in any way, folded to
// lower case.
func (p *parser) storageID() (kalam.StorageID, error) {
	pos := p.tok.Pos
	s, err := p.bare("storage id")
	if err != nil {
		return "", err
	}
	s = sqltext.Fold(s)
	if err := kalam.CheckIdentifier("storage", s); err != nil {
		return "", located(err, pos)
	}
	return kalam.StorageID(strings.Clone(s)), nil
}

// createStorage parses what follows CREATE STORAGE.
func (p *parser) createStorage() (ast.Statement, error) {
	st := &ast.CreateStorage{IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	st.Pos = p.tok.Pos
	var err error
	if st.Storage, err = p.storageID(); err != nil {
		return nil, err
	}
	p.secrecy = secretQuoted
	bucket := -1
	for p.tok.Kind == sqltext.Word {
		pos := p.tok.Pos
		switch {
		case p.accept("TYPE"):
			if st.Type != "" {
				return nil, onceOnly(pos, "TYPE")
			}
			st.Type, err = p.storageType()
		case p.is("BUCKET"):
			bucket = pos
			err = p.storageClause(&st.Settings)
		default:
			err = p.storageClause(&st.Settings)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.tok.Kind != sqltext.EOF && !p.isPunct(';') {
		return nil, p.unexpected("a clause of CREATE STORAGE")
	}
	switch {
	case st.Type == "":
		return nil, p.unexpected("TYPE filesystem or TYPE s3")
	case st.Type == "s3" && st.Settings.URI == nil:
		return nil, p.unexpected("URI 's3://bucket/prefix/' or BUCKET 'name'")
	case st.Settings.URI == nil:
		return nil, p.unexpected("URI, PATH or BASE_DIRECTORY 'directory'")
	case st.Type != "s3" && bucket >= 0:
		return nil, syntaxError(bucket, "BUCKET is only supported for TYPE s3")
	}
	return st, nil
}

// storageType consumes the word after TYPE.
func (p *parser) storageType() (string, error) {
	p.acceptOp("=")
	pos := p.tok.Pos
	s, err := p.bare("storage type")
	if err != nil {
		return "", err
	}
	switch s = sqltext.Fold(sqltext.Short(s)); s {
	case "filesystem", "s3":
		return s, nil
	case "gcs", "azure":
		return "", unsupported(pos, "Storage type '%s' is not supported (expected filesystem or s3)", s)
	}
	return "", syntaxError(pos, "Unknown storage type '%s' (expected filesystem or s3)", s)
}

func onceOnly(pos int, what string) error {
	return syntaxError(pos, "%s is given twice", what)
}

// storageClause consumes one clause of CREATE or ALTER STORAGE.
func (p *parser) storageClause(s *ast.StorageSettings) error {
	pos, word := p.tok.Pos, p.words(1)
	var target **string
	switch word {
	case "NAME":
		target = &s.Name
	case "DESCRIPTION":
		target = &s.Description
	case "URI", "PATH", "BASE_DIRECTORY", "BUCKET":
		target = &s.URI
	case "REGION":
		target = &s.Region
	case "SHARED_TABLES_TEMPLATE":
		target = &s.SharedTemplate
	case "USER_TABLES_TEMPLATE":
		target = &s.UserTemplate
	case "CONFIG":
		target = &s.Config
	case "CREDENTIALS":
		if s.Credentials != nil {
			return onceOnly(pos, word)
		}
		p.advance()
		p.acceptOp("=")
		text, err := p.jsonObject(word)
		secret := ast.Secret(text)
		s.Credentials = &secret
		return err
	default:
		return p.unexpected("a clause of CREATE or ALTER STORAGE")
	}
	if *target != nil {
		return onceOnly(pos, word)
	}
	p.advance()
	p.acceptOp("=")
	text, err := p.storageText(word)
	*target = &text
	return err
}

func (p *parser) storageText(word string) (string, error) {
	if word == "CONFIG" {
		return p.jsonObject(word)
	}
	pos := p.tok.Pos
	text, err := p.str("text after " + word)
	if err != nil {
		return "", err
	}
	text = strings.Clone(text)
	if word == "BUCKET" {
		if text == "" {
			return "", syntaxError(pos, "BUCKET is empty")
		}
		if !strings.HasPrefix(text, "s3://") {
			text = "s3://" + text
		}
		if !strings.HasSuffix(text, "/") {
			text += "/"
		}
	}
	return text, nil
}

// alterStorage parses what follows ALTER STORAGE: the id and SET clauses.
func (p *parser) alterStorage() (ast.Statement, error) {
	st := &ast.AlterStorage{Pos: p.tok.Pos}
	var err error
	if st.Storage, err = p.storageID(); err != nil {
		return nil, err
	}
	p.secrecy = secretQuoted
	if err := p.expect("SET"); err != nil {
		return nil, err
	}
	for {
		if p.is("TYPE") || p.is("BUCKET") {
			return nil, unsupported(p.tok.Pos, "ALTER STORAGE cannot change the %s", p.words(1))
		}
		if err := p.storageClause(&st.Settings); err != nil {
			return nil, err
		}
		if !p.acceptPunct(',') && !p.is("SET") {
			return st, nil
		}
		p.accept("SET")
	}
}

func (p *parser) dropStorage() (ast.Statement, error) {
	st := &ast.DropStorage{IfExists: p.accept("IF", "EXISTS")}
	st.Pos = p.tok.Pos
	var err error
	st.Storage, err = p.storageID()
	return st, err
}
