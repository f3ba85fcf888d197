package format

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFit(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, c := range []struct {
		name  string
		limit int
		whole string // A letter per column: w for whole.
		names []string
		cells []string
		want  [][]string
	}{
		{"no limit", 0, "--", []string{"a", "b"}, []string{long, long}, [][]string{{"a", "b"}, {long, long}}},
		{"fits", 20, "--", []string{"a", "b"}, []string{"xxxxx", "x"}, [][]string{{"a", "b"}, {"xxxxx", "x"}}},
		{"the text gives way", 36, "w-", []string{"id", "body"}, []string{"9223372036854775807", long},
			[][]string{{"id", "body"}, {"9223372036854775807", "xxxxxxx..."}}},
		{"the longer text gives way", 40, "--", []string{"a", "b"}, []string{"short text", long},
			[][]string{{"a", "b"}, {"short text", strings.Repeat("x", 20) + "..."}}},
		{"both texts give way", 37, "--", []string{"a", "b"}, []string{long, long},
			[][]string{{"a", "b"}, {strings.Repeat("x", 12) + "...", strings.Repeat("x", 12) + "..."}}},
		{"the name of a number gives way", 30, "ww", []string{"a_very_long_name_of_a_number", "id"}, []string{"1", "12345"},
			[][]string{{"a_very_long_nam...", "id"}, {"1", "12345"}}},
		{"the last column goes", 30, "www", []string{"a", "b", "c"},
			[]string{"9223372036854775807", "12", "9223372036854775807"}, [][]string{{"a", "b"}, {"9223372036854775807", "12"}}},
		{"too narrow for one", 12, "w", []string{"a"}, []string{"9223372036854775807"}, [][]string{{"a"}, {"92233..."}}},
		{"wide characters", 20, "-", []string{"你"}, []string{strings.Repeat("你好", 10)}, [][]string{{"你"}, {"你好你好你好..."}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := make([]bool, len(c.whole))
			for i := range whole {
				whole[i] = c.whole[i] == 'w'
			}
			got, n := fit([][]string{c.names, c.cells}, whole, c.limit)
			if d := cmp.Diff(c.want, got); d != "" || n != len(c.want[0]) {
				t.Errorf("%d columns: %s", n, d)
			}
		})
	}
}
