package api_test

import (
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// TestLiveJobs follows system.jobs over a socket: a flush is seen from its begin to its end, with its steps; who is no
// dba any more hears nothing further.
func TestLiveJobs(t *testing.T) {
	h, alice := live(t, setup{})
	carol := h.user("carol", kalam.RoleDBA)
	p := h.enter(carol, "")
	p.subscribe("jobs", "SELECT job_id, status, progress_done, progress_total FROM system.jobs WHERE job_type = 'flush'", all())
	if ack := p.read(); ack.Type != wire.TypeSubscriptionAck || len(ack.Schema) != 4 {
		t.Fatalf("%+v", ack)
	}
	if f := p.read(); f.Type != wire.TypeInitialBatch || len(f.Rows) != 0 || f.BatchControl.HasMore {
		t.Fatalf("%+v", f)
	}
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1, 'x', 1)")
	h.mustSQL(h.root(), "STORAGE FLUSH TABLE app.notes")
	var states []string
	for {
		f := p.read()
		if f.Type != wire.TypeChange || len(f.Rows) == 0 {
			t.Fatalf("%+v", f)
		}
		row := f.Rows[len(f.Rows)-1]
		status := strings.Trim(string(row["status"]), `"`)
		states = append(states, status)
		if status != "completed" {
			continue
		}
		if done, total := string(row["progress_done"]), string(row["progress_total"]); done != `"1"` || total != `"1"` {
			t.Errorf("%s of %s steps are done", done, total)
		}
		break
	}
	if got := strings.Join(states, " "); got != "pending running completed" {
		t.Errorf("states %s", got)
	}
	q := h.enter(alice, "")
	q.subscribe("jobs", "SELECT * FROM system.jobs", all())
	q.wantError("jobs", wire.CodeUnauthorized, "see jobs")
	h.mustSQL(h.root(), "ALTER USER 'carol' SET ROLE user")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (2, 'y', 1)")
	h.mustSQL(h.root(), "STORAGE FLUSH TABLE app.notes")
	for _, f := range p.wantClose(websocket.StatusPolicyViolation, "") {
		if strings.Contains(f, `"pending"`) {
			t.Errorf("told of a job after the role was lost: %s", f)
		}
	}
}
