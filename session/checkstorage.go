package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/systables"
)

// checkColumns are the columns of STORAGE CHECK.
var checkColumns = systables.Columns(`storage_id TEXT, status TEXT, readable BOOLEAN, writable BOOLEAN
listable BOOLEAN, deletable BOOLEAN
latency_ms BIGINT, total_bytes BIGINT?, used_bytes BIGINT?, error TEXT?, tested_at TIMESTAMP`)

// checkStorage probes a storage, and says whether segments in it are known to be damaged.
func (s *Session) checkStorage(ctx context.Context, st *ast.CheckStorage) error {
	if err := access.Check(s.Principal, access.CheckStorages); err != nil {
		return err
	}
	h, err := s.server.Lake.Check(ctx, st.Storage)
	if err != nil {
		return kalam.Positioned(err, st.Pos)
	}
	total, used, fault := kalam.Null(), kalam.Null(), kalam.Null()
	if st.Extended && h.TotalBytes > 0 {
		total, used = kalam.BigInt(h.TotalBytes), kalam.BigInt(h.UsedBytes)
	}
	status := h.Status()
	if damage := s.server.Maintenance.Damage(st.Storage); damage != "" && status == "healthy" {
		status, fault = "degraded", kalam.Text(damage)
	}
	if h.Err != nil {
		fault = kalam.Text(h.Err.Error())
	}
	return s.listing(checkColumns, [][]kalam.Value{{
		systables.Text(st.Storage), kalam.Text(status), kalam.Bool(h.Readable), kalam.Bool(h.Writable),
		kalam.Bool(h.Listable), kalam.Bool(h.Deletable),
		kalam.BigInt(h.Latency.Milliseconds()), total, used, fault, systables.Timestamp(h.TestedAt),
	}}, "")
}
