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
	err := encodeTo(&b, s, rec)
	return b.Bytes(), err
}

func encodeTo(b *bytes.Buffer, s *arrow.Schema, rec arrow.RecordBatch) error {
	w := ipc.NewWriter(b, ipc.WithSchema(s))
	if rec != nil {
		if err := w.Write(rec); err != nil {
			return fmt.Errorf("encode a batch: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("encode a schema: %w", err)
	}
	return nil
}

// BatchEncoder is EncodeBatch for many batches, in memory that it uses again. The zero value is ready. It is for one
// goroutine.
type BatchEncoder struct{ buf bytes.Buffer }

// Encode returns a batch as an Arrow stream, valid until the next call.
func (e *BatchEncoder) Encode(rec arrow.RecordBatch) ([]byte, error) {
	e.buf.Reset()
	err := encodeTo(&e.buf, rec.Schema(), rec)
	return e.buf.Bytes(), err
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
