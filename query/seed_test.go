package query_test

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// seedOf returns the seed of a random test, which KALAM_SEED sets, and prints it.
func seedOf(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("KALAM_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("KALAM_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("KALAM_SEED=%d", seed)
	return seed
}

// numberOf returns how often a test repeats, which an environment variable sets.
func numberOf(t testing.TB, variable string, n int) int {
	t.Helper()
	if s := os.Getenv(variable); s != "" {
		given, err := strconv.Atoi(s)
		if err != nil || given <= 0 {
			t.Fatalf("%s is %q, want a number above 0", variable, s)
		}
		n = given
	}
	return n
}
