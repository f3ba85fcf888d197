package iceberg

import (
	"bytes"
	"compress/flate"
	"fmt"

	"github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

// The schemas of the Avro files, as the specification has them: readers go by the field-ids.
const (
	entrySchema = `{"type":"record","name":"manifest_entry","fields":[
{"name":"status","type":"int","field-id":0},
{"name":"snapshot_id","type":["null","long"],"default":null,"field-id":1},
{"name":"sequence_number","type":["null","long"],"default":null,"field-id":3},
{"name":"file_sequence_number","type":["null","long"],"default":null,"field-id":4},
{"name":"data_file","field-id":2,"type":{"type":"record","name":"r2","fields":[
{"name":"content","type":"int","field-id":134},
{"name":"file_path","type":"string","field-id":100},
{"name":"file_format","type":"string","field-id":101},
{"name":"partition","field-id":102,"type":{"type":"record","name":"r102","fields":[]}},
{"name":"record_count","type":"long","field-id":103},
{"name":"file_size_in_bytes","type":"long","field-id":104},
{"name":"value_counts","field-id":109,"default":null,"type":["null",{"type":"array","logicalType":"map","items":
{"type":"record","name":"k119_v120","fields":[{"name":"key","type":"int","field-id":119},
{"name":"value","type":"long","field-id":120}]}}]},
{"name":"null_value_counts","field-id":110,"default":null,"type":["null",{"type":"array","logicalType":"map","items":
{"type":"record","name":"k121_v122","fields":[{"name":"key","type":"int","field-id":121},
{"name":"value","type":"long","field-id":122}]}}]},
{"name":"lower_bounds","field-id":125,"default":null,"type":["null",{"type":"array","logicalType":"map","items":
{"type":"record","name":"k126_v127","fields":[{"name":"key","type":"int","field-id":126},
{"name":"value","type":"bytes","field-id":127}]}}]},
{"name":"upper_bounds","field-id":128,"default":null,"type":["null",{"type":"array","logicalType":"map","items":
{"type":"record","name":"k129_v130","fields":[{"name":"key","type":"int","field-id":129},
{"name":"value","type":"bytes","field-id":130}]}}]},
{"name":"sort_order_id","type":["null","int"],"default":null,"field-id":140},
{"name":"referenced_data_file","type":["null","string"],"default":null,"field-id":143}]}}]}`

	listSchema = `{"type":"record","name":"manifest_file","fields":[
{"name":"manifest_path","type":"string","field-id":500},
{"name":"manifest_length","type":"long","field-id":501},
{"name":"partition_spec_id","type":"int","field-id":502},
{"name":"content","type":"int","field-id":517},
{"name":"sequence_number","type":"long","field-id":515},
{"name":"min_sequence_number","type":"long","field-id":516},
{"name":"added_snapshot_id","type":"long","field-id":503},
{"name":"added_files_count","type":"int","field-id":504},
{"name":"existing_files_count","type":"int","field-id":505},
{"name":"deleted_files_count","type":"int","field-id":506},
{"name":"added_rows_count","type":"long","field-id":512},
{"name":"existing_rows_count","type":"long","field-id":513},
{"name":"deleted_rows_count","type":"long","field-id":514}]}`
)

// Values of the enumerations of the format.
const (
	statusAdded     = 1
	contentData     = 0
	contentDeletes  = 1 // Of a manifest, and of a file with position deletes.
	formatParquet   = "PARQUET"
	unsorted        = 0
	unpartitioned   = 0
	formatVersion   = 2
	mainBranch      = "main"
	lastPartitionID = 999 // As the specification has it for tables without partitions.
)

// entry is a file as a manifest lists it.
type entry struct {
	Status       int32    `avro:"status"`
	Snapshot     *int64   `avro:"snapshot_id"`
	Sequence     *int64   `avro:"sequence_number"`
	FileSequence *int64   `avro:"file_sequence_number"`
	File         fileData `avro:"data_file"`
}

type fileData struct {
	Content    int32     `avro:"content"`
	Path       string    `avro:"file_path"`
	Format     string    `avro:"file_format"`
	Partition  struct{}  `avro:"partition"`
	Rows       int64     `avro:"record_count"`
	Bytes      int64     `avro:"file_size_in_bytes"`
	Values     []idCount `avro:"value_counts,omitzero"`
	Nulls      []idCount `avro:"null_value_counts,omitzero"`
	Lower      []idBytes `avro:"lower_bounds,omitzero"`
	Upper      []idBytes `avro:"upper_bounds,omitzero"`
	SortOrder  *int32    `avro:"sort_order_id"`
	Referenced *string   `avro:"referenced_data_file"`
}

type idCount struct {
	ID    int32 `avro:"key"`
	Count int64 `avro:"value"`
}

type idBytes struct {
	ID    int32  `avro:"key"`
	Bytes []byte `avro:"value"`
}

// listed is a manifest as a manifest list has it.
type listed struct {
	Path         string `avro:"manifest_path"`
	Bytes        int64  `avro:"manifest_length"`
	Spec         int32  `avro:"partition_spec_id"`
	Content      int32  `avro:"content"`
	Sequence     int64  `avro:"sequence_number"`
	MinSequence  int64  `avro:"min_sequence_number"`
	Snapshot     int64  `avro:"added_snapshot_id"`
	Added        int32  `avro:"added_files_count"`
	Existing     int32  `avro:"existing_files_count"`
	Deleted      int32  `avro:"deleted_files_count"`
	AddedRows    int64  `avro:"added_rows_count"`
	ExistingRows int64  `avro:"existing_rows_count"`
	DeletedRows  int64  `avro:"deleted_rows_count"`
}

// encodeAvro returns an Avro object container file of records with a schema. It is compressed, since some readers
// take a file that does not name its codec for one in another.
func encodeAvro[T any](schema string, metadata map[string]string, records []T) ([]byte, error) {
	parsed, err := avro.Parse(schema)
	if err != nil {
		return nil, fmt.Errorf("schema of an Avro file: %w", err)
	}
	raw := make(map[string][]byte, len(metadata))
	for k, v := range metadata {
		raw[k] = []byte(v)
	}
	var out bytes.Buffer
	w, err := ocf.NewWriter(&out, parsed, ocf.WithMetadata(raw), ocf.WithCodec(ocf.DeflateCodec(flate.DefaultCompression)))
	if err != nil {
		return nil, fmt.Errorf("begin an Avro file: %w", err)
	}
	for i := range records {
		if err := w.Encode(&records[i]); err != nil {
			return nil, fmt.Errorf("encode a record of an Avro file: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("end an Avro file: %w", err)
	}
	return out.Bytes(), nil
}
