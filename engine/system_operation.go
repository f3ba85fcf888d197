package engine

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/datatype"
)

const liveColumns = `live_id TEXT, connection_id TEXT, subscription_id TEXT, namespace_id TEXT, table_name TEXT, user_id TEXT, query TEXT
options JSON?, status TEXT, changes BIGINT, node TEXT, node_id BIGINT, created_at TIMESTAMP, last_update TIMESTAMP?, last_ping_at TIMESTAMP?
queue_depth BIGINT, last_seq BIGINT?`

// operationTables are the system tables that show the server at work.
func operationTables() []*systemTable {
	return []*systemTable{
		{openTable(access.System, "jobs", `job_id TEXT, job_type TEXT, status TEXT, namespace_id TEXT?, table_name TEXT?
parameters JSON?, progress TEXT?, result JSON?, trace TEXT?, error TEXT?, message TEXT?, exception_trace TEXT?, idempotency_key TEXT?, queue TEXT?
priority INT?, retry_count SMALLINT, max_retries SMALLINT, memory_used BIGINT?, cpu_used BIGINT?, created_at TIMESTAMP, updated_at TIMESTAMP
started_at TIMESTAMP?, finished_at TIMESTAMP?, completed_at TIMESTAMP?, node_id BIGINT, leader_status TEXT?, leader_node_id BIGINT?`), jobRows},
		{openTable(access.System, "live", liveColumns), liveRows},
		{openTable(access.System, "live_queries", liveColumns), liveRows},
		{closedTable("settings", `name TEXT, value TEXT, description TEXT, category TEXT`), settingRows},
		{closedTable("stats", `metric_name TEXT, metric_value TEXT`), statRows},
		{closedTable("datatypes", `arrow_type TEXT, kalam_type TEXT, sql_name TEXT, description TEXT`), datatypeRows},
	}
}

// jobRows lists all jobs for admins; other roles start none, and so see none.
func jobRows(ctx context.Context, s *session) ([][]kalam.Value, error) {
	if !access.Has(s.principal, access.SeeJobs) {
		return nil, nil
	}
	var rows [][]kalam.Value
	node := kalam.BigInt(int64(s.e.config.Server.NodeID))
	for j, err := range s.e.catalog.Jobs(ctx) {
		if err != nil {
			return nil, err
		}
		finished := timestamp(j.FinishedAt)
		rows = append(rows, []kalam.Value{
			text(j.ID), kalam.Text(j.Kind.String()), text(j.Status), textOrNull(j.Namespace), textOrNull(j.Table), jsonOrNull(j.Parameters),
			textOrNull(j.Progress), jsonOrNull(j.Result), textOrNull(j.Trace), textOrNull(j.Error), textOrNull(j.Message), textOrNull(j.Exception),
			textOrNull(j.Key), kalam.Null(), integer(j.Priority), small(j.Retries), small(j.MaxRetries), kalam.BigInt(j.MemoryUsed),
			kalam.BigInt(j.CPUUsed), timestamp(j.CreatedAt), timestamp(j.UpdatedAt), timestamp(j.StartedAt), finished, finished, node, kalam.Null(), kalam.Null(),
		})
	}
	slices.SortStableFunc(rows, func(a, b []kalam.Value) int { return int(a[jobCreated].Int() - b[jobCreated].Int()) })
	return rows, nil
}

// jobCreated is the index of created_at in system.jobs.
const jobCreated = 19

func small(n int) kalam.Value { return kalam.Integer(kalam.KindSmallInt, int64(n)) }

// liveRows lists the live queries: all for admins, their own for others.
func liveRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, l := range s.e.hub.Subscriptions() {
		if l.User != s.principal.User && !access.Has(s.principal, access.SeeLive) {
			continue
		}
		last := kalam.Null()
		if l.LastSeq != 0 {
			last = kalam.BigInt(int64(l.LastSeq))
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(l.ID), kalam.Text(l.Connection), kalam.Text(l.Subscription), text(l.Table.Namespace), text(l.Table.Name), text(l.User),
			kalam.Text(l.SQL), jsonOrNull(l.Options), text(l.Status), kalam.BigInt(l.Changes), kalam.Text(s.e.config.Server.Node),
			kalam.BigInt(int64(s.e.config.Server.NodeID)), timestamp(l.CreatedAt), timestamp(l.LastUpdate), timestamp(l.LastUpdate),
			kalam.BigInt(int64(l.QueueDepth)), last,
		})
	}
	return rows, nil
}

// settingRows lists every key of the configuration in force; secrets are masked.
func settingRows(_ context.Context, s *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, st := range s.e.config.Settings() {
		rows = append(rows, []kalam.Value{kalam.Text(st.Name), kalam.Text(st.Value), kalam.Text(st.Description), kalam.Text(st.Category)})
	}
	return rows, nil
}

// Setting is one key of a configuration.
type Setting struct {
	Name        string // "server.port".
	Value       string
	Description string
	Category    string // The section.
}

// Settings lists every key of c in the order of the sections. Secrets are
// masked, but an empty one is shown empty.
func (c *Config) Settings() []Setting {
	var out []Setting
	sections := reflect.ValueOf(*c)
	for i := range sections.NumField() {
		category := sections.Type().Field(i).Tag.Get("koanf")
		section := sections.Field(i)
		for j := range section.NumField() {
			f := section.Type().Field(j)
			value := fmt.Sprint(section.Field(j).Interface())
			if f.Tag.Get("secret") != "" && value != "" {
				value = masked
			}
			out = append(out, Setting{category + "." + f.Tag.Get("koanf"), value, f.Tag.Get("doc"), category})
		}
	}
	return out
}

func datatypeRows(context.Context, *session) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, k := range kalam.Kinds() {
		t := kalam.TypeOf(k)
		wire, err := t.MarshalJSON()
		if err != nil {
			return nil, err
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(datatype.ArrowType(t).String()), kalam.Text(unquoted(wire)), kalam.Text(t.String()), kalam.Text(k.Description()),
		})
	}
	return rows, nil
}

// unquoted strips the quotes of a JSON string that needs no escapes.
func unquoted(b []byte) string {
	if len(b) > 1 && b[0] == '"' {
		return string(b[1 : len(b)-1])
	}
	return string(b)
}
