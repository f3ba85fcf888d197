package dialect

import (
	"github.com/kalamlake/kalam/dialect/tableopts"
	"github.com/kalamlake/kalam/sqltext"
)

// optionKeys maps the spellings of options to the one that messages use.
var optionKeys = map[string]string{
	"TYPE": "TYPE", "STORAGE": "STORAGE_ID", "STORAGE_ID": "STORAGE_ID", "USE_USER_STORAGE": "USE_USER_STORAGE",
	"FLUSH_POLICY": "FLUSH_POLICY", "FLUSH_ROWS": "FLUSH ROWS", "FLUSH_INTERVAL": "FLUSH INTERVAL",
	"FLUSH_CRON": "FLUSH_CRON", "FLUSH_CRON_TZ": "FLUSH_CRON_TZ",
	"TTL": "TTL_SECONDS", "TTL_SECONDS": "TTL_SECONDS",
	"MAX_STREAM_SIZE_BYTES": "MAX_STREAM_SIZE_BYTES", "ACCESS": "ACCESS_LEVEL", "ACCESS_LEVEL": "ACCESS_LEVEL",
	"SHARD_STRATEGY": "SHARD_STRATEGY", "DELETED_RETENTION_HOURS": "DELETED_RETENTION_HOURS",
}

// option consumes one `key [=] value` of CREATE TABLE.
func (p *parser) option(o *tableopts.Set) error {
	if p.tok.Kind != sqltext.Word {
		return p.unexpected("a table option")
	}
	pos, key := p.tok.Pos, p.words(1)
	p.advance()
	switch {
	case key == "FLUSH" && p.isAny(" ROWS INTERVAL POLICY CRON "):
		key += "_" + p.words(1)
		p.advance()
	case key == "ACCESS" && p.is("LEVEL"):
		p.advance()
	}
	name, ok := optionKeys[key]
	switch {
	case ok:
		equals := p.acceptOp("=")
		return p.optionValue(o, name, pos, equals)
	case key == "TABLE_TYPE":
		return syntaxError(pos,
			"TABLE_TYPE is not supported. Use CREATE USER TABLE, CREATE SHARED TABLE or CREATE STREAM TABLE.")
	case key == "OWNER_ID":
		return syntaxError(pos, "OWNER_ID is not supported. A USER table belongs to each user who writes to it.")
	}
	return syntaxError(pos, "Unknown table option '%s'", key)
}

// optionValue consumes the value of the option called name and stores it.
func (p *parser) optionValue(o *tableopts.Set, name string, pos int, equals bool) error {
	if name == "USE_USER_STORAGE" && !equals && !p.is("TRUE") && !p.is("FALSE") && !p.isString() {
		return o.Put(name, pos, pos, "TRUE")
	}
	at := p.tok.Pos
	switch {
	case name == "FLUSH_CRON" && !p.isString():
		return p.unexpected("a schedule in quotes for FLUSH_CRON")
	case name == "FLUSH_CRON_TZ" && !p.isString():
		return p.unexpected("the name of a time zone in quotes for FLUSH_CRON_TZ")
	}
	value, err := p.optionText(name)
	if err != nil {
		return err
	}
	return o.Put(name, pos, at, value)
}

// optionText consumes the value of an option: a string, a number with an
// optional unit s, or a word.
func (p *parser) optionText(name string) (string, error) {
	switch {
	case p.isString():
		return p.stringText()
	case p.isOp("-"), p.isOp("+"):
		sign := p.text(p.tok)
		if t := p.peek(); t.Kind == sqltext.Number {
			p.advance()
			p.advance()
			return sign + p.text(t), nil
		}
	case p.tok.Kind == sqltext.Number:
		s := p.text(p.tok)
		end := p.tok.End
		p.advance()
		if p.is("S") && p.tok.Pos == end {
			p.advance()
			s += "s"
		}
		return s, nil
	case p.tok.Kind == sqltext.Word, p.tok.Kind == sqltext.Quoted, p.tok.Kind == sqltext.Backtick:
		s := p.text(p.tok)
		if p.tok.Kind != sqltext.Word {
			s = sqltext.UnquoteIdent(s)
		}
		p.advance()
		return s, nil
	}
	return "", p.unexpected("a value for " + name)
}
