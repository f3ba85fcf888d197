package read

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// Explain returns how a query is run, in lines: what is read of each table, the plan of DuckDB,
// and, with analyze, after it has run, the rows and times of its steps and where it ran. It
// holds no paths. Tables are resolved and authorised as by Open.
func (c *Caller) Explain(ctx context.Context, sql string, params []kalam.Value, analyze bool) ([]string, error) {
	ctx, seen := c.Activity.Begin(ctx, c.Principal, c.Namespace, sql)
	defer seen.End()
	p, err := c.prepare(ctx, sql, Options{params: params})
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for _, r := range p.rows.relations {
		if r.rule != nil { // Plans have the sizes and bounds of files, with the rows of others in them.
			p.rows.Close()
			return nil, kalam.Errorf(
				kalam.CodePermissionDenied,
				"role %s cannot EXPLAIN a query of table '%s': it has row policies, which show a part of its rows",
				c.Principal.Role,
				r.table.ID,
			)
		}
	}
	text, narrowed, err := c.Query.Explain(ctx, p.plan, p.sources, c.args(p.params), analyze)
	if err != nil {
		return nil, p.failed(ctx, err)
	}
	took := time.Since(began)
	defer p.rows.Close()
	var lines []string
	for i, r := range p.rows.relations {
		lines = append(lines, reads(r, &p.sources[i]))
	}
	if narrowed.Pruned > 0 || narrowed.Skipped > 0 {
		lines = append(lines, fmt.Sprintf("Leaves out %d of %d segments and %d of %d row groups",
			narrowed.Pruned, narrowed.Files, narrowed.Skipped, narrowed.Groups))
	}
	analysis := "made now"
	if p.plan.CacheHit() {
		analysis = "found in the cache"
	}
	lines = append(lines, "Analysis: "+analysis)
	if analyze {
		lines = append(lines, fmt.Sprintf("Run: %s, in process %d", took.Round(time.Microsecond), seen.Info().Worker))
	}
	return append(lines, strings.Split(strings.TrimRight(text, "\n"), "\n")...), nil
}

// reads tells what a query reads of a relation.
func reads(r *relation, src *query.Source) string {
	var buffered, dead int64
	for _, b := range src.Batches {
		if b.Live != nil {
			buffered += int64(len(b.Live))
		} else {
			buffered += b.Record.NumRows()
		}
	}
	for _, f := range src.Files {
		if f.Dead != nil {
			dead += int64(f.Dead.GetCardinality())
		}
	}
	switch {
	case r.table == nil:
		return fmt.Sprintf("Reads %s: %d rows, computed", strings.Join(r.ref.Parts, "."), buffered)
	case dead > 0:
		return fmt.Sprintf("Reads %s: %d segments, without %d deleted or replaced rows; %d buffered rows",
			r.table.ID, len(src.Files), dead, buffered)
	}
	return fmt.Sprintf("Reads %s: %d segments; %d buffered rows", r.table.ID, len(src.Files), buffered)
}
