package worker

import (
	"context"

	"github.com/kalamlake/kalam"
)

// parserRAM bounds the instances that only parse or convert.
const parserRAM = "256MB"

// parser turns SQL into trees and trees into SQL on a connection of its own. It executes
// nothing of what it parses: texts and trees are values to it.
type parser struct {
	conn *conn
	own  *instance // Closed with it; nil when the instance is another's.
	// SQL to tree, tree to SQL, and tree to SQL and back.
	serialize, deserialize, both *statement
}

// openOwnParser returns a parser with an instance of its own.
func openOwnParser() (*parser, error) {
	in, err := openInstance(lockdown(nil, "", parserRAM, 1))
	if err != nil {
		return nil, err
	}
	p, err := openParser(in)
	if err != nil {
		in.close()
		return nil, err
	}
	p.own = in
	return p, nil
}

func openParser(in *instance) (*parser, error) {
	c, err := in.connect()
	if err != nil {
		return nil, err
	}
	p := &parser{conn: c}
	for _, s := range []struct {
		st  **statement
		sql string
	}{
		{&p.serialize, "SELECT CAST(json_serialize_sql(CAST($1 AS VARCHAR)) AS VARCHAR)"},
		{&p.deserialize, "SELECT json_deserialize_sql(CAST($1 AS JSON))"},
		{
			&p.both,
			"SELECT s, CAST(json_serialize_sql(s) AS VARCHAR) FROM (SELECT json_deserialize_sql(CAST($1 AS JSON)) AS s)",
		},
	} {
		if *s.st, err = c.prepare(s.sql); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *parser) close() {
	for _, st := range []*statement{p.serialize, p.deserialize, p.both} {
		if st != nil {
			st.close()
		}
	}
	p.conn.close()
	if p.own != nil {
		p.own.close()
	}
}

// translation is one of the things that a parser does.
type translation byte

const (
	parseText translation = iota
	writeTree
	rewriteTree
)

// run does one of them. It gives one text, or two for rewriteTree.
func (p *parser) run(ctx context.Context, what translation, arg string) (texts []string, err error) {
	st := map[translation]*statement{parseText: p.serialize, writeTree: p.deserialize, rewriteTree: p.both}[what]
	if st == nil {
		return nil, kalam.Errorf(kalam.CodeInternal, "a parser has no translation %d", what)
	}
	err = p.conn.call(ctx, func() (err error) {
		texts, err = st.textsOf(arg)
		return err
	})
	return texts, err
}
