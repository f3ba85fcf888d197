package wire

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/kalamlake/kalam"
)

// EncodeSchema returns a schema as an Arrow stream without batches.
func EncodeSchema(s *arrow.Schema) ([]byte, error) { return encode(s, nil) }

// EncodeBatch returns a batch as an Arrow stream.
func EncodeBatch(rec arrow.RecordBatch) ([]byte, error) { return encode(rec.Schema(), rec) }

func encode(s *arrow.Schema, rec arrow.RecordBatch) ([]byte, error) {
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(s))
	if rec != nil {
		if err := w.Write(rec); err != nil {
			return nil, fmt.Errorf("encode a batch: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode a schema: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeSchema reads what EncodeSchema wrote.
func DecodeSchema(p []byte) (*arrow.Schema, error) {
	r, err := ipc.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("decode a schema: %w", err)
	}
	defer r.Release()
	return r.Schema(), nil
}

// DecodeBatch reads what EncodeBatch wrote. The caller releases the batch, which does not
// refer to p.
func DecodeBatch(p []byte) (arrow.RecordBatch, error) {
	r, err := ipc.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, fmt.Errorf("decode a batch: %w", err)
	}
	defer r.Release()
	if !r.Next() {
		return nil, kalam.Wrap(kalam.CodeInternal, r.Err(), "a message of a query worker holds no batch")
	}
	rec := r.RecordBatch()
	rec.Retain()
	return rec, nil
}
