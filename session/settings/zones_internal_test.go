package settings

import "testing"

// TestCapitals writes names of zones as most are written.
func TestCapitals(t *testing.T) {
	for in, want := range map[string]string{"europe/berlin": "Europe/Berlin", "AMERICA/NEW_YORK": "America/New_York"} {
		if got := capitals(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
