package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report prints one line per figure: ours, the reference of the same run, the
// ratio and the budget of the architecture.
type report struct {
	w      io.Writer
	missed int
}

func (r *report) header() {
	fmt.Fprintf(r.w, "%-52s %14s %16s %8s   %s\n", "what", "kalam", "reference", "ratio", "budget")
}

// line prints a figure. A ratio of 0 is left out; met says whether the budget holds.
func (r *report) line(what, ours, reference string, ratio float64, budget string, met bool) {
	rel := ""
	if ratio > 0 {
		rel = fmt.Sprintf("%.2fx", ratio)
	}
	verdict := "met"
	if !met {
		verdict = "MISSED"
		r.missed++
	}
	fmt.Fprintf(r.w, "%-52s %14s %16s %8s   %s: %s\n", what, ours, reference, rel, budget, verdict)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }

func perSecond(n float64) string { return fmt.Sprintf("%.0f/s", n) }

// samples are durations.
type samples []time.Duration

// at returns the q quantile, 0 to 1.
func (s samples) at(q float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// median returns the middle of a few figures.
func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

// timed runs f and returns how long it took.
func timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}
