package live

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

const columns = `live_id TEXT, connection_id TEXT, subscription_id TEXT, namespace_id TEXT, table_name TEXT
user_id TEXT, query TEXT
options JSON?, status TEXT, changes BIGINT, node TEXT, node_id BIGINT, created_at TIMESTAMP, last_update TIMESTAMP?
last_ping_at TIMESTAMP?
queue_depth BIGINT, last_seq BIGINT?`

// Tables are the computed tables of live queries. node and its number say where they are.
func Tables(hub *subscribe.Hub, node string, nodeID int) []systables.Table {
	l := &list{hub: hub, node: node, nodeID: nodeID}
	return []systables.Table{
		{Table: systables.Open(access.System, "live", columns), Rows: l.rows},
		{Table: systables.Open(access.System, "live_queries", columns), Rows: l.rows},
	}
}

// list is what the tables are computed from.
type list struct {
	hub    *subscribe.Hub
	node   string
	nodeID int
}

// rows lists the live queries: all for admins, their own for others.
func (l *list) rows(_ context.Context, v systables.Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, q := range l.hub.Subscriptions() {
		if q.User != v.Principal.User && !access.Has(v.Principal, access.SeeLive) {
			continue
		}
		last := kalam.Null()
		if q.LastSeq != 0 {
			last = kalam.BigInt(int64(q.LastSeq))
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(q.ID), kalam.Text(q.Connection), kalam.Text(q.Subscription), systables.Text(q.Table.Namespace),
			systables.Text(q.Table.Name), systables.Text(q.User),
			kalam.Text(q.SQL), systables.JSONOrNull(q.Options), systables.Text(q.Status), kalam.BigInt(q.Changes),
			kalam.Text(l.node),
			kalam.BigInt(int64(l.nodeID)), systables.Timestamp(q.CreatedAt), systables.Timestamp(q.LastUpdate),
			systables.Timestamp(q.LastUpdate),
			kalam.BigInt(int64(q.QueueDepth)), last,
		})
	}
	return rows, nil
}
