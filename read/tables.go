package read

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/query/activity"
	"github.com/kalamlake/kalam/sqltext"
	"github.com/kalamlake/kalam/systables"
)

// sessionColumns are those of KalamDB, then ours.
const sessionColumns = `session_id TEXT, backend_pid BIGINT?, current_schema TEXT?, state TEXT
transaction_id TEXT?, transaction_state TEXT?, transaction_has_writes BOOLEAN, client_addr TEXT?, transport TEXT
opened_at TIMESTAMP, last_seen_at TIMESTAMP, last_method TEXT?
user_id TEXT, role TEXT, query TEXT, age_ms BIGINT, memory_bytes BIGINT?`

// shownQuery is how much of a query's text is shown, in bytes.
const shownQuery = 1000

// Tables returns system.sessions: the queries under way, each viewer's own, and all for
// admins. now tells the time.
func Tables(queries *activity.Registry, now func() time.Time) []systables.Table {
	rows := func(_ context.Context, v systables.Viewer) (rows [][]kalam.Value, _ error) {
		for _, q := range queries.List() {
			if q.User == v.Principal.User || access.Has(v.Principal, access.SeeQueries) {
				rows = append(rows, sessionRow(q, now()))
			}
		}
		return rows, nil
	}
	return []systables.Table{{Table: systables.Open(access.System, "sessions", sessionColumns), Rows: rows}}
}

// sessionRow shows a query, without its literals.
func sessionRow(q activity.Info, now time.Time) []kalam.Value {
	worker, memory := kalam.Null(), kalam.Null()
	if q.Worker != 0 {
		worker = kalam.BigInt(int64(q.Worker))
	}
	if q.Memory != 0 {
		memory = kalam.BigInt(q.Memory)
	}
	text := sqltext.WithoutValues(q.SQL)
	if len(text) > shownQuery {
		end := shownQuery
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	return []kalam.Value{
		kalam.Text(q.ID), worker, systables.Text(q.Namespace), kalam.Text(q.State.String()),
		kalam.Null(), kalam.Null(), kalam.Bool(false), kalam.Null(), kalam.Text("sql"),
		systables.Timestamp(q.Began), systables.Timestamp(now), kalam.Null(),
		systables.Text(q.User), kalam.Text(q.Role.String()), kalam.Text(text),
		kalam.BigInt(now.Sub(q.Began).Milliseconds()), memory,
	}
}
