package query_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// checkParquet reads the file of TestCopyParquet with another library.
func checkParquet(t *testing.T, path string, rows int64) {
	t.Helper()
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.NumRows() != rows || r.NumRowGroups() != 2 {
		t.Errorf("%d rows in %d row groups", r.NumRows(), r.NumRowGroups())
	}
	kv := r.MetaData().KeyValueMetadata()
	for key, want := range map[string]string{"kalam.version": "1", "it's": "a 'value'"} {
		if v := kv.FindValue(key); v == nil || *v != want {
			t.Errorf("metadata %s = %v, want %q", key, v, want)
		}
	}
	s := r.MetaData().Schema
	for name, want := range map[string]int32{"id": 1, "body": 7, "_seq": -1} {
		i := s.ColumnIndexByName(name)
		if i < 0 {
			t.Errorf("column %s is missing", name)
			continue
		}
		if id := s.Column(i).SchemaNode().FieldID(); id != want {
			t.Errorf("column %s has field id %d, want %d", name, id, want)
		}
	}
	for g := range r.NumRowGroups() {
		for c := range s.NumColumns() {
			chunk, err := r.RowGroup(g).MetaData().ColumnChunk(c)
			if err != nil {
				t.Fatal(err)
			}
			if chunk.Compression() != compress.Codecs.Zstd {
				t.Errorf("column %d is compressed with %s", c, chunk.Compression())
			}
		}
	}
}
