package maintain

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam/jobs"
)

// scrubs compares the lake with its record, and looks after what it finds damaged.
type scrubs struct {
	*deps
	rate     *rate.Limiter
	stopping chan struct{} // Closed when the server begins to stop.
}

func newScrubs(d *deps) *scrubs {
	limit := rate.NewLimiter(rate.Limit(d.config.ScrubBytesPerSecond), scrubPiece)
	return &scrubs{deps: d, rate: limit, stopping: make(chan struct{})}
}

// scrubPiece is what a scrub reads at once, at most.
const scrubPiece = 1 << 20

// pace waits until a scrub may read that many bytes, and ends it when the server stops.
func (s *scrubs) pace(ctx context.Context, bytes int) error {
	for bytes > 0 {
		n := min(bytes, s.rate.Burst())
		r := s.rate.ReserveN(time.Now(), n)
		select {
		case <-time.After(r.Delay()):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.stopping:
			return jobs.ErrStopping
		}
		bytes -= n
	}
	return nil
}
