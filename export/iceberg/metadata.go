package iceberg

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
)

// metadataFile is the content of a metadata file.
type metadataFile struct {
	Format         int               `json:"format-version"`
	UUID           string            `json:"table-uuid"`
	Location       string            `json:"location"`
	LastSequence   int64             `json:"last-sequence-number"`
	LastUpdated    int64             `json:"last-updated-ms"`
	LastColumn     int64             `json:"last-column-id"`
	Schema         int               `json:"current-schema-id"`
	Schemas        []schema          `json:"schemas"`
	Spec           int               `json:"default-spec-id"`
	Specs          []partitionSpec   `json:"partition-specs"`
	LastPartition  int               `json:"last-partition-id"`
	SortOrder      int               `json:"default-sort-order-id"`
	SortOrders     []sortOrder       `json:"sort-orders"`
	Properties     map[string]string `json:"properties"`
	Current        *int64            `json:"current-snapshot-id,omitempty"` // nil: the table has no rows.
	Refs           map[string]ref    `json:"refs"`
	Snapshots      []snapshot        `json:"snapshots"`
	SnapshotLog    []snapshotLog     `json:"snapshot-log"`
	MetadataLog    []struct{}        `json:"metadata-log"`
	Statistics     []struct{}        `json:"statistics"`
	PartitionStats []struct{}        `json:"partition-statistics"`
}

type schema struct {
	Type   string  `json:"type"`
	ID     int     `json:"schema-id"`
	Keys   []int64 `json:"identifier-field-ids,omitempty"`
	Fields []field `json:"fields"`
}

type field struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Type     string `json:"type"`
	Doc      string `json:"doc,omitempty"`
}

type partitionSpec struct {
	ID     int        `json:"spec-id"`
	Fields []struct{} `json:"fields"`
}

type sortOrder struct {
	ID     int        `json:"order-id"`
	Fields []struct{} `json:"fields"`
}

type ref struct {
	Snapshot int64  `json:"snapshot-id"`
	Type     string `json:"type"`
}

type snapshot struct {
	ID        int64             `json:"snapshot-id"`
	Sequence  int64             `json:"sequence-number"`
	Timestamp int64             `json:"timestamp-ms"`
	Manifests string            `json:"manifest-list"`
	Summary   map[string]string `json:"summary"`
	Schema    int               `json:"schema-id"`
}

type snapshotLog struct {
	Timestamp int64 `json:"timestamp-ms"`
	Snapshot  int64 `json:"snapshot-id"`
}

// schemaOf returns the columns of the table as a schema.
func (p *plan) schemaOf() schema {
	s := schema{Type: "struct", ID: p.table.SchemaVersion, Fields: make([]field, 0, len(p.table.Columns))}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		name, _ := typeOf(c.Type) // That there is one was checked.
		s.Fields = append(s.Fields, field{
			ID: int64(c.ID), Name: c.Name, Required: p.isRequired(c), Type: name, Doc: c.Comment,
		})
	}
	for _, i := range p.table.PrimaryKey {
		if !p.isRequired(&p.table.Columns[i]) {
			s.Keys = nil
			break
		}
		s.Keys = append(s.Keys, int64(p.table.Columns[i].ID))
	}
	return s
}

// isRequired reports whether every row that a reader finds has a value in a column.
func (p *plan) isRequired(c *kalam.Column) bool { return c.NotNull && !p.optional[c.ID] }

// metadata returns the content of the metadata file of a version.
func (v *version) metadata() ([]byte, error) {
	p := v.plan
	m := metadataFile{
		Format: formatVersion, UUID: p.uuid, Location: p.uri, LastSequence: v.number, LastUpdated: v.now.UnixMilli(),
		LastColumn: int64(p.lastID), Schema: p.table.SchemaVersion, Schemas: []schema{p.schemaOf()},
		Spec: unpartitioned, Specs: []partitionSpec{{ID: unpartitioned, Fields: []struct{}{}}},
		LastPartition: lastPartitionID,
		SortOrder:     unsorted, SortOrders: []sortOrder{{ID: unsorted, Fields: []struct{}{}}},
		Properties: map[string]string{
			"kalam.table": p.table.ID.String(), "kalam.last-seq": strconv.FormatUint(uint64(p.lastSeq), 10),
		},
		Refs: map[string]ref{}, Snapshots: []snapshot{}, SnapshotLog: []snapshotLog{},
		MetadataLog: []struct{}{}, Statistics: []struct{}{}, PartitionStats: []struct{}{},
	}
	if p.table.Comment != "" {
		m.Properties["comment"] = p.table.Comment
	}
	if len(p.files) > 0 {
		m.Current = &v.snapshot
		m.Refs[mainBranch] = ref{Snapshot: v.snapshot, Type: "branch"}
		m.Snapshots = []snapshot{{
			ID: v.snapshot, Sequence: v.number, Timestamp: v.now.UnixMilli(), Manifests: v.uri(v.listName()),
			Schema: p.table.SchemaVersion, Summary: v.summary(),
		}}
		m.SnapshotLog = []snapshotLog{{Timestamp: v.now.UnixMilli(), Snapshot: v.snapshot}}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode the metadata of a catalog: %w", err)
	}
	return text, nil
}

// summary says what the snapshot has, for people.
func (v *version) summary() map[string]string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return map[string]string{
		"operation": "overwrite", "total-data-files": number(int64(len(v.plan.files))),
		"total-delete-files": number(int64(len(v.deletes))), "total-records": number(v.records),
		"total-position-deletes": number(v.deleted), "total-equality-deletes": "0", "total-files-size": number(v.bytes),
	}
}
