// Package eventually waits, in tests, for what gives no signal.
package eventually

import (
	"testing"
	"time"
)

// patience is how long a condition may take on a machine that is busy otherwise.
const patience = time.Minute

// True waits until ok is true and fails the test, which what tells about, if that takes
// longer than a minute. It is called by the goroutine of the test.
func True(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}
