package segments_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/segments"
)

// TestKey: no storage is the local one, and a path means nothing without its storage.
func TestKey(t *testing.T) {
	none := segments.KeyOf(&kalam.Segment{Path: "p"})
	local := segments.KeyOf(&kalam.Segment{Storage: "local", Path: "p"})
	cold := segments.KeyOf(&kalam.Segment{Storage: "cold", Path: "p"})
	if none != local || local == cold {
		t.Errorf("keys %v, %v, %v", none, local, cold)
	}
}

// TestDamage notes segments once, forgets those that are mended, and is bounded.
func TestDamage(t *testing.T) {
	var d segments.Damage
	seg := kalam.Segment{Path: "users/alice/p"}
	if d.Reason() != "" || d.Clear(&seg) {
		t.Error("there is damage at the beginning")
	}
	if !d.Add(&seg) || d.Add(&seg) || len(d.List()) != 1 {
		t.Errorf("damaged are %v", d.List())
	}
	if reason := d.Reason(); !strings.HasPrefix(reason, "1 segment(s)") || strings.Contains(reason, "alice") {
		t.Errorf("the reason is %q", reason)
	}
	if !d.Clear(&seg) || d.Clear(&seg) || d.Reason() != "" {
		t.Error("what was mended is not forgotten once")
	}
	for i := range 1500 {
		d.Add(&kalam.Segment{Path: fmt.Sprint(i)})
	}
	if n := len(d.List()); n != 1000 {
		t.Errorf("%d segments are remembered", n)
	}
}
