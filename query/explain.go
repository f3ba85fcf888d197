package query

import (
	"context"
	"strings"
)

// Explain returns DuckDB's plan of a query as text, with the names of tables and
// without the folders of files. With analyze the query runs, and the plan has the
// rows and times of each step. Sources and arguments are those of Query.
func (e *Planner) Explain(ctx context.Context, plan *Plan, sources []Source, args Args, analyze bool) (string, error) {
	if err := plan.check(sources, args); err != nil {
		return "", err
	}
	if err := e.open(ctx); err != nil {
		return "", err
	}
	text, err := e.explain(ctx, plan, sources, args, analyze)
	if err != nil {
		return "", e.worded(err, plan)
	}
	return cleanPlan(plan.RestoreNames(text)), nil
}

func (e *Planner) explain(ctx context.Context, plan *Plan, sources []Source, args Args, analyze bool) (string, error) {
	plan, err := e.withValues(ctx, plan, sources, args)
	if err != nil {
		return "", err
	}
	n := e.narrowed(plan, sources, &args)
	sources, within, _ := n.within(n.want())
	st, err := e.statement(ctx, plan, sources, args, within)
	if err != nil {
		return "", err
	}
	return e.executor.Explain(ctx, st, analyze)
}

// cleanPlan removes folders and names of ours from the text of a plan.
func cleanPlan(text string) string {
	text = pathPattern.ReplaceAllStringFunc(text, func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] })
	return strings.NewReplacer("KALAM_SCAN", "BUFFER    ", "kalam_scan", "buffer    ", "kalam_alive", "alive      ").
		Replace(text)
}
