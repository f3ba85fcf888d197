package results

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/link/wire"
)

// TestAppendError compares the errors that are written by hand with those of the type.
func TestAppendError(t *testing.T) {
	full := wire.Error{
		Code: wire.CodeInvalidSQL, Message: "Column 'boddy' does not exist", Details: "SELECT boddy", StatementIndex: 2,
		Position: 8, Hint: "look at DESCRIBE", Suggestions: []string{"body", "a \"b\""},
	}
	one := full
	one.Details, one.Suggestions = "", one.Suggestions[:1]
	for _, e := range []wire.Error{full, one, {Code: wire.CodeTimeout, Message: "late"}} {
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(AppendError(nil, &e))); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

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
