package transfer

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// progressStep is the time between two changes of the bar.
const progressStep = 100 * time.Millisecond

// progress shows how far a transfer is, on a terminal. Its figures may be changed by any
// goroutine.
type progress struct {
	rows, rejected atomic.Int64
	bytes          func() int64 // Read or written so far.
	total          int64        // Of bytes; 0 is unknown.
	begin          int64        // Rows that were done before.
	start          time.Time
	now            func() time.Time

	done chan struct{}
	wait sync.WaitGroup
}

// show draws the bar until stop is called, which erases it. out is nil for no terminal.
func (p *progress) show(out io.Writer, width func() int) (stop func()) {
	if out == nil {
		return func() {}
	}
	p.done = make(chan struct{})
	p.wait.Add(1)
	go func() {
		defer p.wait.Done()
		t := time.NewTicker(progressStep)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				fmt.Fprint(out, "\r\x1b[J"+p.line(width()))
			case <-p.done:
				fmt.Fprint(out, "\r\x1b[J")
				return
			}
		}
	}()
	return func() {
		close(p.done)
		p.wait.Wait()
	}
}

// barWidth is how many columns the bar has.
const barWidth = 24

// line is the bar with its figures, at most width wide.
func (p *progress) line(width int) string {
	rows, bytes, took := p.rows.Load(), p.bytes(), p.now().Sub(p.start)
	rate := 0.0
	if took > 0 {
		rate = float64(rows-p.begin) / took.Seconds()
	}
	text := fmt.Sprintf("%s rows  %s  %s rows/s", Count(rows), Bytes(bytes), Count(int64(rate)))
	if p.total > 0 {
		share := min(float64(bytes)/float64(p.total), 1)
		filled := int(share * barWidth)
		text = fmt.Sprintf("%3.0f%% [%s%s]  %s", share*100, strings.Repeat("#", filled),
			strings.Repeat(".", barWidth-filled), text)
		if share > 0 && share < 1 {
			left := time.Duration(float64(took) * (1 - share) / share)
			text += "  eta " + left.Round(time.Second).String()
		}
	}
	if n := p.rejected.Load(); n > 0 {
		text += fmt.Sprintf("  %s rejected", Count(n))
	}
	if width > 1 && len(text) >= width {
		text = text[:width-1]
	}
	return text
}

// Count is a number with commas between its thousands.
func Count(n int64) string {
	s := fmt.Sprintf("%d", n)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Bytes is a number of bytes as people read it.
func Bytes(n int64) string {
	const step = 1024
	if n < step {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f /= step; f < step || unit == "TiB" {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return ""
}
