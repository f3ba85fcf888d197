package results

import (
	"testing"
	"time"
)

func TestAppendMillis(t *testing.T) {
	tests := []struct {
		took time.Duration
		want string
	}{
		{0, "0.0"}, {499 * time.Nanosecond, "0.0"}, {time.Microsecond, "0.001"}, {10 * time.Microsecond, "0.01"},
		{100 * time.Microsecond, "0.1"},
		{1500 * time.Microsecond, "1.5"}, {12345 * time.Microsecond, "12.345"}, {3 * time.Millisecond, "3.0"},
		{time.Hour + time.Microsecond, "3600000.001"},
	}
	for _, tt := range tests {
		if got := string(appendMillis(nil, tt.took)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.took, got, tt.want)
		}
	}
}
