package query_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam/query"
)

// BenchmarkIsolation compares the executors in turns, so that what else the machine does
// is the same for both: a cached small query, and a result of a million rows. It reports
// medians and the time that processes add.
func BenchmarkIsolation(b *testing.B) {
	engines := map[string]*engine{}
	for _, isolation = range []string{"none", "process"} {
		engines[isolation] = newEngine(b)
	}
	type sourced struct {
		plan *query.Plan
		src  query.Source
	}
	of := func(e *engine, name, sql string, rows, files int) sourced {
		p, err := e.Analyse(context.Background(), testUser, sql)
		if err != nil {
			b.Fatal(err)
		}
		return sourced{p, e.chatSource(b, name, rows, files)}
	}
	const small, all = "SELECT * FROM t WHERE id = $1", "SELECT * FROM t"
	measure := func(b *testing.B, sql string, rows, files int) {
		cases := map[string]sourced{}
		for isolation, e := range engines {
			cases[isolation] = of(e, filepath.Base(b.Name())+isolation, sql, rows, files)
		}
		took := map[string][]time.Duration{}
		for b.Loop() {
			for isolation, e := range engines {
				start := time.Now()
				params := benchQueries[0].params[:cases[isolation].plan.Params()]
				r, err := e.Query(
					context.Background(),
					cases[isolation].plan,
					[]query.Source{cases[isolation].src},
					testArgs(params...),
				)
				if err != nil {
					b.Fatal(err)
				}
				if err := drain(context.Background(), r, func(arrow.RecordBatch) {}); err != nil {
					b.Fatal(err)
				}
				r.Close()
				took[isolation] = append(took[isolation], time.Since(start))
			}
		}
		median := func(isolation string, part int) float64 {
			d := took[isolation]
			slices.Sort(d)
			return float64(d[min(len(d)*part/100, len(d)-1)]) / 1e6
		}
		b.ReportMetric(median("none", 50), "none-p50-ms")
		b.ReportMetric(median("process", 50), "process-p50-ms")
		b.ReportMetric(median("process", 50)-median("none", 50), "added-p50-ms")
		b.ReportMetric(median("process", 99)-median("none", 99), "added-p99-ms")
		b.ReportMetric(float64(rows)/median("process", 50)*1e3, "process-rows/s")
	}
	b.Run("point of 10k buffered", func(b *testing.B) { measure(b, small, 10_000, 0) })
	b.Run("point of 10k in a file", func(b *testing.B) { measure(b, small, 10_000, 10_000) })
	b.Run("all of 1M", func(b *testing.B) { measure(b, all, 1_000_000, 1_000_000) })
}
