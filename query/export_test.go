package query

import (
	"context"
	"errors"
	"io"

	"github.com/kalamlake/kalam"
)

// Raw runs SQL in the instance for user SQL, past the guard.
func (e *Planner) Raw(sql string) error {
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
func (e *Planner) FinalSQL(p *Plan, sources []Source) (string, error) {
	st, err := e.statement(context.Background(), p, sources, Args{Params: make([]kalam.Value, p.Query.Params)}, nil)
	if err != nil {
		return "", err
	}
	return st.SQL, nil
}

// KeptTexts returns every text that plans keep.
func (e *Planner) KeptTexts() (texts []string) {
	for _, a := range e.plans.normal.Values() {
		texts = append(append(texts, a.Text), a.whole.texts...)
		for _, v := range a.composed {
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
