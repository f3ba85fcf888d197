package query

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
)

// FunctionLists are the allow-lists: functions of values, aggregates, and
// functions of FROM.
func FunctionLists() (scalar, aggregate, table string) {
	return scalarFunctions, aggregateFunctions, tableFunctions
}

// ServerFunctions reports whether the rewrite replaces a function.
func ServerFunctions(name string) bool { return serverFunctions.has(name) }

// Raw runs SQL in the instance for user SQL, past the guard.
func (e *Engine) Raw(sql string) error {
	ctx := context.Background()
	res, err := e.executor.Run(ctx, &Statement{User: "alice", SQL: sql})
	if err != nil {
		return err
	}
	defer res.Close()
	rec, err := res.Next(ctx)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		rec.Release()
	}
	return err
}

// FinalSQL returns the text that runs for a plan over sources.
func (e *Engine) FinalSQL(p *Plan, sources []Source) (string, error) {
	st, err := e.statement(context.Background(), p, sources, Args{Params: make([]kalam.Value, p.params)})
	if err != nil {
		return "", err
	}
	return st.SQL, nil
}

// Trees returns the tree of a query as it is after the rewrite, and the tree that its
// text gives when it is parsed.
func (e *Engine) Trees(sql string) (edited, again any, text string, err error) {
	ctx := context.Background()
	p := e.parserOf("alice")
	q, err := p.parse(ctx, sql)
	if err != nil {
		return nil, nil, "", err
	}
	c := newChecker(sql, e.prefix)
	c.query(q)
	c.checkParams()
	if c.err != nil {
		return nil, nil, "", c.err
	}
	if err := p.keepNames(ctx, c); err != nil {
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
	text, parsed, err := p.rewritten(ctx, doc)
	if err != nil {
		return nil, nil, "", err
	}
	if doc, err = encodeAST(parsed); err != nil {
		return nil, nil, "", err
	}
	err = json.Unmarshal([]byte(doc), &again)
	return whole, again, text, err
}

// KeptTexts returns every text that plans keep.
func (e *Engine) KeptTexts() (texts []string) {
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
	return texts
}
