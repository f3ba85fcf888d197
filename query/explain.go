package query

import (
	"context"
	"strings"
)

// Explain returns DuckDB's plan of a query as text, with the names of tables and
// without the folders of files. With analyze the query runs, and the plan has the
// rows and times of each step. Sources and arguments are those of Query. Of a query that
// may run more than once it is the first run.
func (e *Planner) Explain(
	ctx context.Context, plan *Plan, sources []Source, args Args, analyze bool,
) (text string, reads Reads, err error) {
	if err := plan.check(sources, args); err != nil {
		return "", reads, err
	}
	if err := e.open(ctx); err != nil {
		return "", reads, err
	}
	text, reads, err = e.explain(ctx, plan, sources, args, analyze)
	if err != nil {
		return "", reads, e.worded(err, plan)
	}
	return cleanPlan(plan.RestoreNames(text)), reads, nil
}

func (e *Planner) explain(
	ctx context.Context, plan *Plan, sources []Source, args Args, analyze bool,
) (text string, reads Reads, err error) {
	if plan, err = e.withValues(ctx, plan, sources, args); err != nil {
		return "", reads, err
	}
	n := e.narrowed(plan, sources, &args)
	sources, within, reads := n.first()
	st, err := e.statement(ctx, plan, sources, args, within)
	if err != nil {
		return "", reads, err
	}
	text, err = e.executor.Explain(ctx, st, analyze)
	return text, reads, err
}

// cleanPlan removes folders and names of ours from the text of a plan.
func cleanPlan(text string) string {
	text = pathPattern.ReplaceAllStringFunc(text, func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] })
	return strings.NewReplacer("KALAM_SCAN", "BUFFER    ", "kalam_scan", "buffer    ", "kalam_alive", "alive      ").
		Replace(text)
}
