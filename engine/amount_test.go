package engine_test

import (
	"os"
	"strconv"
	"testing"
)

// amount returns how often a test repeats itself: few times usually, as many as a
// variable of the environment says where time is no matter.
func amount(t testing.TB, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, not a number from 1 on", variable, text)
	}
	return n
}
