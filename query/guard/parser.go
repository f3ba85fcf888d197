package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

// Grammar is DuckDB's own parser. It executes nothing: texts and trees are values to it.
// Errors are those of DuckDB, *duckerr.Error, or *kalam.Error.
type Grammar interface {
	// Parse returns the syntax tree of a text as JSON.
	Parse(ctx context.Context, user kalam.UserID, sql string) (tree string, err error)
	// Write returns the text of a tree.
	Write(ctx context.Context, user kalam.UserID, tree string) (sql string, err error)
	// Rewrite returns the text of a tree and the tree of that text.
	Rewrite(ctx context.Context, user kalam.UserID, tree string) (sql, again string, err error)
}

// Parser turns SQL of one user into checked trees, and trees into SQL.
type Parser struct {
	Prefix  string // Of names and values of ours.
	Grammar Grammar
	User    kalam.UserID // On whose account texts are parsed.
}

// parse returns the query node of sql, which must be exactly one query.
func (p *Parser) parse(ctx context.Context, sql string) (tree.Node, error) {
	if len(sql) > maxSQL {
		return nil, kalam.Errorf(kalam.CodeTooLarge, "query is %d bytes long (maximum %d)", len(sql), maxSQL)
	}
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: query contains a NUL byte").At(i)
	}
	if !utf8.ValidString(sql) {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: query is not valid UTF-8")
	}
	sql, lexemes, err := readable(sql)
	if err != nil {
		return nil, err
	}
	folded := foldNames(sql, lexemes)
	q, err := p.parseOne(ctx, folded)
	if isCircumstance(err) {
		return nil, err
	}
	if err != nil {
		if q := p.parsePivots(ctx, folded, lexemes); q != nil {
			return q, nil
		}
	}
	if errors.Is(err, errNoQuery) {
		if pos := pivotPlace(sql, lexemes); pos >= 0 {
			return nil, kalam.Errorf(kalam.CodeUnsupported,
				"This form of PIVOT is not supported: name the values after IN, or leave IN out").At(pos)
		}
	}
	if err != nil && folded != sql {
		// What is wrong is told as it was typed.
		if _, typed := p.parseOne(ctx, sql); typed != nil {
			err = typed
		}
	}
	return q, err
}

// parsePivots is parse for a text that DuckDB takes for several statements because
// PIVOTs in it have no lists, nil for any other.
func (p *Parser) parsePivots(ctx context.Context, sql string, lexemes []sqltext.Lexeme) tree.Node {
	text, lists := withPivotLists(sql, p.Prefix, lexemes)
	if len(lists) == 0 {
		return nil
	}
	q, err := p.parseOne(ctx, text)
	if err != nil || !withoutPivotLists(q, p.Prefix, lists) {
		return nil // What is wrong is told of the text as it is.
	}
	return q
}

// parseOne is parse for a text that DuckDB can take.
func (p *Parser) parseOne(ctx context.Context, sql string) (tree.Node, error) {
	doc, err := p.Grammar.Parse(ctx, p.User, sql)
	if err != nil {
		return nil, parseFailure(err)
	}
	return statementOf(sql, doc)
}

// parseFailure words an error of the parser itself rather than of the text.
func parseFailure(err error) error {
	var de *duckerr.Error
	if errors.As(err, &de) && !duckerr.Invalidates(err) {
		return kalam.Wrap(kalam.CodeInvalidSQL, de, "Syntax error: the query is too deeply nested or too large")
	}
	return err
}

// statementOf reads the parser's answer.
func statementOf(sql, doc string) (tree.Node, error) {
	ast, err := tree.Decode(doc)
	if err != nil && strings.Contains(doc, `"value":Infinity`) {
		return nil, kalam.Wrap(kalam.CodeInvalidSQL, err, "Syntax error: a number is out of the range of DOUBLE")
	}
	if err != nil {
		return nil, kalam.Wrap(
			kalam.CodeInvalidSQL,
			err,
			"Syntax error: a number is out of range or the query is too deeply nested",
		)
	}
	if failed, _ := ast["error"].(bool); failed {
		return nil, syntaxError(sql, ast)
	}
	statements := tree.Elems(ast, "statements")
	switch len(statements) {
	case 0:
		return nil, kalam.Errorf(kalam.CodeEmptySQL, "SQL text is empty")
	case 1:
	default:
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Only one statement is allowed here")
	}
	st, _ := statements[0].(tree.Node)
	q := tree.Child(st, "node")
	if q == nil {
		return nil, kalam.Errorf(kalam.CodeInvalidSQL, "Only queries are allowed here")
	}
	return q, nil
}

// errNoQuery is why a statement has no tree: it is no query, or DuckDB makes several of it.
var errNoQuery = errors.New("not one query")

// syntaxError words what the parser found wrong.
func syntaxError(sql string, ast tree.Node) error {
	msg := tree.Str(ast, "error_message")
	if tree.Str(ast, "error_type") == "not implemented" && strings.Contains(msg, "SELECT") {
		return kalam.Wrap(kalam.CodeInvalidSQL, errNoQuery, "Only queries (SELECT, WITH, VALUES, FROM) are allowed here")
	}
	if strings.Contains(msg, "Mixing named and positional") {
		return kalam.Errorf(kalam.CodeInvalidSQL, "Invalid parameter placeholder: placeholders are $1, $2, ...")
	}
	msg = duckerr.FirstLine(msg)
	if _, near, ok := strings.Cut(msg, "at or near \""); ok {
		if word := strings.TrimSuffix(near, "\""); sqltext.IsReserved(word) {
			msg += fmt.Sprintf("; as a name it needs quotes: \"%s\"", strings.ToLower(word))
		}
	}
	e := kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error: %s", msg)
	var pos int
	if _, err := fmt.Sscan(tree.Str(ast, "position"), &pos); err == nil {
		// The parser counts characters.
		return e.At(byteOffset(sql, pos))
	}
	return e
}

// isCircumstance reports whether err is about when and where a text was read, not about
// the text.
func isCircumstance(err error) bool {
	switch kalam.CodeOf(err) {
	case kalam.CodeUnavailable, kalam.CodeTimeout, kalam.CodeCanceled, kalam.CodeResourceExhausted, kalam.CodeShuttingDown:
		return true
	}
	return false
}
