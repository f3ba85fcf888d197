package query

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// Limits of what is parsed: DuckDB's parser and our walk recurse.
const (
	maxSQL    = 1 << 20 // Bytes of a statement.
	maxNodes  = 200_000 // Nodes of its tree.
	maxDepth  = 2_500   // Nesting of its tree: an expression takes two or three levels.
	parsers   = 2       // Statements that are parsed at a time.
	parserRAM = "512MB"
)

// parser turns SQL into trees and trees into SQL, in a DuckDB instance that
// executes nothing of what it parses: texts and trees are values to it.
type parser struct {
	in   *instance
	idle chan *parserConn // capacity parsers; receiving waits for a free one
}

type parserConn struct {
	conn                   *conn
	serialize, deserialize *statement
}

func openParser() (*parser, error) {
	in, err := openInstance(lockdown(nil, "", parserRAM, 1))
	if err != nil {
		return nil, err
	}
	p := &parser{in: in, idle: make(chan *parserConn, parsers)}
	for range parsers {
		pc, err := in.openParserConn()
		if err != nil {
			p.close()
			return nil, err
		}
		p.idle <- pc
	}
	return p, nil
}

func (in *instance) openParserConn() (*parserConn, error) {
	c, err := in.connect()
	if err != nil {
		return nil, err
	}
	pc := &parserConn{conn: c}
	if pc.serialize, err = c.prepare("SELECT CAST(json_serialize_sql(CAST($1 AS VARCHAR)) AS VARCHAR)"); err == nil {
		pc.deserialize, err = c.prepare("SELECT json_deserialize_sql(CAST($1 AS JSON))")
	}
	if err != nil {
		pc.close()
		return nil, err
	}
	return pc, nil
}

func (pc *parserConn) close() {
	if pc.serialize != nil {
		pc.serialize.close()
	}
	if pc.deserialize != nil {
		pc.deserialize.close()
	}
	pc.conn.close()
}

// close closes the instance; nothing is being parsed.
func (p *parser) close() {
	for len(p.idle) > 0 {
		(<-p.idle).close()
	}
	p.in.close()
}

// acquire waits for a connection.
func (p *parser) acquire(ctx context.Context) (*parserConn, error) {
	select {
	case pc := <-p.idle:
		return pc, nil
	default:
	}
	select {
	case pc := <-p.idle:
		return pc, nil
	case <-ctx.Done():
		return nil, canceled(ctx)
	}
}

// parse returns the query node of sql, which must be exactly one query.
func (p *parser) parse(ctx context.Context, sql string) (node, error) {
	if len(sql) > maxSQL {
		return nil, kalam.Errorf(kalam.CodeTooLarge, "query is %d bytes long (maximum %d)", len(sql), maxSQL)
	}
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: query contains a NUL byte").At(i)
	}
	if !utf8.ValidString(sql) {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: query is not valid UTF-8")
	}
	pc, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.idle <- pc }()
	var doc string
	err = pc.conn.call(ctx, func() (err error) {
		doc, err = pc.serialize.textOf(sql)
		return err
	})
	if err != nil {
		return nil, parseFailure(err)
	}
	return statementOf(sql, doc)
}

// parseFailure words an error of the parser itself rather than of the text.
func parseFailure(err error) error {
	if de, ok := err.(*duckError); ok && de.Type != "Fatal" && de.Type != "INTERNAL" {
		return kalam.Wrap(kalam.CodeInvalidSQL, de, "Syntax error: the query is too deeply nested or too large")
	}
	return err
}

// statementOf reads the parser's answer.
func statementOf(sql, doc string) (node, error) {
	ast, err := decodeAST(doc)
	if err != nil {
		return nil, kalam.Wrap(kalam.CodeInvalidSQL, err, "Syntax error: a number is out of range or the query is too deeply nested")
	}
	if failed, _ := ast["error"].(bool); failed {
		return nil, syntaxError(sql, ast)
	}
	statements := elems(ast, "statements")
	switch len(statements) {
	case 0:
		return nil, kalam.Errorf(kalam.CodeEmptySQL, "SQL text is empty")
	case 1:
	default:
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Only one statement is allowed here")
	}
	st, _ := statements[0].(node)
	q := child(st, "node")
	if q == nil {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Only queries are allowed here")
	}
	return q, nil
}

// syntaxError words what the parser found wrong.
func syntaxError(sql string, ast node) error {
	msg := str(ast, "error_message")
	if str(ast, "error_type") == "not implemented" && strings.Contains(msg, "SELECT") {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Only queries (SELECT, WITH, VALUES, FROM) are allowed here")
	}
	if strings.Contains(msg, "Mixing named and positional") {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Invalid parameter placeholder: placeholders are $1, $2, ...")
	}
	e := kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", firstLine(msg))
	var pos int
	if _, err := fmt.Sscan(str(ast, "position"), &pos); err == nil {
		// The parser counts characters.
		return e.At(byteOffset(sql, pos))
	}
	return e
}

// unparse returns the text of a query node.
func (p *parser) unparse(ctx context.Context, q node) (string, error) {
	doc, err := encodeAST(q)
	if err != nil {
		return "", err
	}
	pc, err := p.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer func() { p.idle <- pc }()
	var sql string
	err = pc.conn.call(ctx, func() (err error) {
		sql, err = pc.deserialize.textOf(doc)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("write query: %w", err)
	}
	return sql, nil
}
