package query

import (
	"context"
	"encoding/json"

	"github.com/kalamlake/kalam"
)

// LiveChunks and LiveSources count what the scan function keeps alive.
var (
	LiveChunks  = liveChunks
	LiveSources = liveSources
)

// FunctionLists are the allow-lists: functions of values, aggregates, and
// functions of FROM.
func FunctionLists() (scalar, aggregate, table string) {
	return scalarFunctions, aggregateFunctions, tableFunctions
}

// ServerFunctions reports whether the rewrite replaces a function.
func ServerFunctions(name string) bool { return serverFunctions.has(name) }

// Chunk cache.

// ClearChunks empties the cache of converted batches.
func (e *Engine) ClearChunks() int { return e.chunks.clear() }

// Raw runs SQL on a connection of the instance for user SQL, past the guard.
func (e *Engine) Raw(sql string) error {
	s, err := e.pool.take()
	if err != nil {
		return err
	}
	err = s.exec(sql)
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	e.pool.discardLocked(s)
	return err
}

// FinalSQL returns the text that runs for a plan over sources.
func (e *Engine) FinalSQL(p *Plan, sources []Source) (string, error) {
	if err := e.writeTop(context.Background(), p.analysed, sources); err != nil {
		return "", err
	}
	s, err := e.pool.take()
	if err != nil {
		return "", err
	}
	defer func() {
		e.pool.mu.Lock()
		defer e.pool.mu.Unlock()
		e.pool.discardLocked(s)
	}()
	shapes, err := e.shapes(s, sources)
	if err != nil {
		return "", err
	}
	for _, sh := range shapes {
		defer sh.schema.release()
	}
	v, err := p.variant(shapes, nil, &e.pool.variants, func() []kalam.DataType { return p.meetingTypes(s.conn, shapes, nil) })
	if err != nil {
		return "", err
	}
	return v.sql, nil
}

// KillInstance does what a fatal error of DuckDB does.
func (e *Engine) KillInstance() {
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	e.pool.killLocked(e.pool.gen)
}

// BreakParsers does what an assertion that fails in DuckDB's parser does.
func (e *Engine) BreakParsers() {
	for range parsers {
		e.parser.release(<-e.parser.idle, &duckError{Type: "INTERNAL"})
	}
}

// BreakCopier does the same for COPY.
func (e *Engine) BreakCopier() {
	e.copier.turn <- struct{}{}
	e.copier.end()
	<-e.copier.turn
}

// Trees returns the tree of a query as it is after the rewrite, and the tree that its
// text gives when it is parsed.
func (e *Engine) Trees(sql string) (edited, again any, text string, err error) {
	ctx := context.Background()
	q, err := e.parser.parse(ctx, sql)
	if err != nil {
		return nil, nil, "", err
	}
	c := newChecker(sql, e.prefix)
	c.query(q)
	c.checkParams()
	if c.err != nil {
		return nil, nil, "", c.err
	}
	if err := e.keepNames(ctx, c); err != nil {
		return nil, nil, "", err
	}
	if c.finish(q, 1000); c.err != nil {
		return nil, nil, "", c.err
	}
	doc, err := encodeAST(q)
	if err != nil {
		return nil, nil, "", err
	}
	var whole any
	if err := json.Unmarshal([]byte(doc), &whole); err != nil {
		return nil, nil, "", err
	}
	text, parsed, err := e.parser.rewritten(ctx, doc)
	if err != nil {
		return nil, nil, "", err
	}
	if doc, err = encodeAST(parsed); err != nil {
		return nil, nil, "", err
	}
	err = json.Unmarshal([]byte(doc), &again)
	return whole, again, text, err
}

// KeptTexts returns every text that plans keep, and the number of statements that stay
// prepared.
func (e *Engine) KeptTexts() (texts []string, prepared int) {
	for _, a := range e.plans.normal.Values() {
		texts = append(append(texts, a.sql), a.whole.texts...)
		for _, v := range a.variants {
			texts = append(texts, v.sql)
		}
		if a.pivoted != nil {
			texts = append(texts, a.pivoted.tree)
			for _, l := range a.pivoted.lists {
				texts = append(texts, l.tree)
			}
		}
	}
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	for _, s := range e.pool.idle {
		prepared += s.statements.Len()
	}
	return texts, prepared
}
