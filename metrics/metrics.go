package metrics

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/systables"
)

// Options are what New needs.
type Options struct {
	Observed    *Observed
	Stats       *systables.Stats   // The parts of the server and what they count.
	Records     buffer.Reader      // The manifests of record.
	Disks       func() []pair.Disk // What is left of the disks.
	BufferLimit int64              // buffer.max_bytes.
	Audit       func() audit.Stats
	Degraded    func() bool  // Whether something does not work as it should.
	MaxTables   int          // Tables with figures of their own.
	Logger      *slog.Logger // nil discards.
}

// maxScrapes is how many scrapes are answered at a time; further ones get 503.
const maxScrapes = 4

// Metrics are the figures of one server. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	lake     *lakeSums
	log      *slog.Logger
}

// New returns the metrics of a server, whose parts must outlive it. The caller closes it.
func New(o Options) (*Metrics, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{registry: prometheus.NewRegistry(), lake: newLakeSums(o.Records, o.Stats.Now), log: o.Logger}
	all := append(o.Observed.collectors(), newCollector(o, m.lake), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// Close waits for what a scrape has begun.
func (m *Metrics) Close() { m.lake.close() }

// Handler answers a GET with all figures, in the text format of Prometheus or another that the request prefers. Who may
// ask is its user's to decide.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{m.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
	})
}

// scrapeLog writes the errors of scrapes to the log.
type scrapeLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) { l.log.Warn("metrics not complete", "error", fmt.Sprint(v...)) }
