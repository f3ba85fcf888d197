package iceberg

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/kalamlake/kalam"
)

// stageManifest writes a manifest, and returns what the list of manifests says of it.
func (v *version) stageManifest(
	ctx context.Context, name string, content int32, entries []entry,
) (l listed, err error) {
	s := v.plan.schemaOf()
	text, err := json.Marshal(s)
	if err != nil {
		return l, fmt.Errorf("encode the schema of a catalog: %w", err)
	}
	word := "data"
	if content == contentDeletes {
		word = "deletes"
	}
	raw, err := encodeAvro(entrySchema, map[string]string{
		"schema": string(text), "schema-id": strconv.Itoa(s.ID), "partition-spec": "[]",
		"partition-spec-id": strconv.Itoa(unpartitioned), "format-version": strconv.Itoa(formatVersion), "content": word,
	}, entries)
	if err == nil {
		err = v.stageBytes(ctx, name, raw)
	}
	if err != nil {
		return l, err
	}
	l = listed{
		Path: v.uri(name), Bytes: int64(len(raw)), Content: content, Sequence: v.number, MinSequence: v.number,
		Snapshot: v.snapshot, Added: int32(len(entries)),
	}
	for i := range entries {
		l.AddedRows += entries[i].File.Rows
	}
	return l, nil
}

// newEntry returns the entry of a file. All files of a version are added by its one snapshot: delete files
// are for data files of the same sequence number, or a lower one.
func (v *version) newEntry(f fileData) entry {
	f.Format = formatParquet
	return entry{Status: statusAdded, Snapshot: &v.snapshot, Sequence: &v.number, FileSequence: &v.number, File: f}
}

// dataEntries are the entries of the segments.
func (v *version) dataEntries() []entry {
	list := make([]entry, 0, len(v.plan.files))
	for i := range v.plan.files {
		f := &v.plan.files[i]
		order := int32(unsorted)
		d := fileData{Content: contentData, Path: f.uri, Rows: f.rows, Bytes: f.bytes, SortOrder: &order}
		if f.min != nil {
			id := int32(v.plan.table.Columns[v.plan.table.PrimaryKey[0]].ID)
			d.Values, d.Nulls = []idCount{{id, f.rows}}, []idCount{{id, 0}}
			d.Lower, d.Upper = []idBytes{{id, f.min}}, []idBytes{{id, f.max}}
		}
		list = append(list, v.newEntry(d))
	}
	return list
}

// deleteEntries are the entries of the delete files. By the range of file_path a reader finds the data
// file that one is for.
func (v *version) deleteEntries() []entry {
	list := make([]entry, 0, len(v.deletes))
	for i := range v.deletes {
		d := &v.deletes[i]
		n := int64(d.of.dead.GetCardinality())
		path, pos := int32(idFilePath), int32(idPos)
		list = append(list, v.newEntry(fileData{
			Content: contentDeletes, Path: d.uri, Rows: n, Bytes: d.bytes, Referenced: &d.of.uri,
			Values: []idCount{{path, n}, {pos, n}}, Nulls: []idCount{{path, 0}, {pos, 0}},
			Lower: []idBytes{{path, []byte(d.of.uri)}, {pos, longBound(d.of.dead.Minimum())}},
			Upper: []idBytes{{path, []byte(d.of.uri)}, {pos, longBound(d.of.dead.Maximum())}},
		}))
	}
	return list
}

func longBound(n uint32) []byte {
	bound, _ := boundOf(kalam.BigInt(int64(n))) // Every BIGINT has one.
	return bound
}
