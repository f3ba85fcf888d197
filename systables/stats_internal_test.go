package systables

import (
	"testing"
	"time"
)

func TestHumanDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59*time.Second + 999*time.Millisecond: "59s", time.Minute: "1m 0s",
		time.Hour + 5*time.Second:    "1h 0m 5s",
		49*time.Hour + 3*time.Minute: "2d 1h 3m 0s",
	} {
		if got := humanDuration(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestCPUMeter(t *testing.T) {
	start := time.Now()
	m := cpuMeter{at: start}
	for i, step := range []struct {
		at, used time.Duration
		want     float64
	}{
		{time.Second, 500 * time.Millisecond, 50},
		{time.Second + time.Millisecond, 600 * time.Millisecond, 50}, // Too soon to say.
		{2 * time.Second, 2500 * time.Millisecond, 200},
		{4 * time.Second, 2500 * time.Millisecond, 0},
	} {
		if got := m.percent(step.used, start.Add(step.at)); got != step.want {
			t.Errorf("reading %d: %v, want %v", i, got, step.want)
		}
	}
}
