package memlimit_test

import (
	"testing"

	"github.com/kalamlake/kalam/query/memlimit"
)

// TestParse reads what DuckDB reads.
func TestParse(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "64MB": 64e6, "64 mb": 64e6, "1.5GiB": 3 << 29, "2GB": 2e9, "100KiB": 100 << 10,
		"1t": 1e12, "": memlimit.Default(),
	} {
		if got, err := memlimit.Parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	if half, err := memlimit.Parse("50%"); err != nil || half <= 0 {
		t.Errorf("50%%: %d, %v", half, err)
	}
	for _, text := range []string{"x", "-1MB", "1XB", "1e9", "0", "1 2", "MB", "99999999999TB"} {
		if got, err := memlimit.Parse(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	if got := memlimit.Format(64 << 20); got != "65536KiB" {
		t.Errorf("formatted %s", got)
	}
}
