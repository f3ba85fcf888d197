package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kalamlake/kalam"
)

// othersName is the table label of the sum of the tables that have no figures of their own. No table has such a name.
const othersName = "(others)"

// tableFigures are the figures of a table, or of several: sums, and the age of the oldest row.
type tableFigures struct {
	id    kalam.TableID
	rows  int64 // In the write buffer.
	bytes int64 // Of them.
	lag   time.Duration
	lake  lakeSum
}

// add adds the figures of another table.
func (f *tableFigures) add(o *tableFigures) {
	f.rows, f.bytes, f.lag = f.rows+o.rows, f.bytes+o.bytes, max(f.lag, o.lag)
	f.lake.segments, f.lake.rows, f.lake.bytes = f.lake.segments+o.lake.segments, f.lake.rows+o.lake.rows, f.lake.bytes+o.lake.bytes
}

type tableDescs struct{ oldest, rows, bytes, lag, segments, segmentRows, segmentBytes *prometheus.Desc }

func newTableDescs() tableDescs {
	of := func(n, help string) *prometheus.Desc {
		return prometheus.NewDesc(name(n), help, []string{"namespace", "table"}, nil)
	}
	return tableDescs{
		oldest: prometheus.NewDesc(name("buffer_oldest_row_seconds"),
			"Age of the oldest row in the write buffer that waits for a flush; 0 when none does.", nil, nil),
		rows:         of("table_buffer_rows", "Row versions of a table in the write buffer that are not flushed."),
		bytes:        of("table_buffer_bytes", "Bytes of the keys and values of a table in the write buffer that are not flushed."),
		lag:          of("table_flush_lag_seconds", "Age of the oldest row of a table that is not flushed; 0 when all are."),
		segments:     of("table_segments", "Parquet files of a table, of all users."),
		segmentRows:  of("table_segment_rows", "Rows in the Parquet files of a table, replaced ones and tombstones included."),
		segmentBytes: of("table_segment_bytes", "Size of the Parquet files of a table."),
	}
}

func (d *tableDescs) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.oldest, d.rows, d.bytes, d.lag, d.segments, d.segmentRows, d.segmentBytes}
}

// collectTables tells of the largest tables, and of the others as one.
func (c *collector) collectTables(to chan<- prometheus.Metric) {
	sums, now := c.lake.get(), c.Stats.Now()
	var list []tableFigures
	var oldest time.Duration
	for _, t := range c.Stats.Catalog.Tables("") {
		f := tableFigures{id: t.ID, lake: sums[t.Number]}
		var first kalam.Seq
		if f.rows, f.bytes, first = c.Stats.Store.TableStats(t.Number); f.rows > 0 && t.Flushable() {
			f.lag = max(0, now.Sub(first.Time()))
			oldest = max(oldest, f.lag)
		}
		list = append(list, f)
	}
	to <- prometheus.MustNewConstMetric(c.tables.oldest, gauge, oldest.Seconds())
	for _, f := range largest(list, c.MaxTables) {
		c.collectTable(to, &f, sums != nil)
	}
}

// largest returns the most that take the most bytes, and the sum of the others if there are any.
func largest(list []tableFigures, most int) []tableFigures {
	size := func(f *tableFigures) int64 { return f.bytes + f.lake.bytes }
	slices.SortFunc(list, func(a, b tableFigures) int {
		return cmp.Or(cmp.Compare(size(&b), size(&a)), cmp.Compare(a.id.String(), b.id.String()))
	})
	if len(list) <= most {
		return list
	}
	others := tableFigures{id: kalam.TableID{Name: othersName}}
	for i := range list[most:] {
		others.add(&list[most+i])
	}
	return append(list[:most:most], others)
}

// collectTable tells of one table; flushed says that what is in the lake is known.
func (c *collector) collectTable(to chan<- prometheus.Metric, f *tableFigures, flushed bool) {
	tell := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, gauge, v, string(f.id.Namespace), string(f.id.Name))
	}
	tell(c.tables.rows, float64(f.rows))
	tell(c.tables.bytes, float64(f.bytes))
	tell(c.tables.lag, f.lag.Seconds())
	if flushed {
		tell(c.tables.segments, float64(f.lake.segments))
		tell(c.tables.segmentRows, float64(f.lake.rows))
		tell(c.tables.segmentBytes, float64(f.lake.bytes))
	}
}
