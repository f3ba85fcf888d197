package backup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// A record is what a backend stores, as one zstd stream of
//
//	'K' | length, uvarint | name          a keyspace, whose entries follow
//	'E' | length, uvarint | key | length, uvarint | value
//	'Z' | number of entries, uvarint      the end
const (
	tagKeyspace = 'K'
	tagEntry    = 'E'
	tagEnd      = 'Z'
	// maxPart bounds a name, a key and a value.
	maxPart = 1 << 30
)

// writeRecord writes all of a snapshot and returns the number of entries.
func writeRecord(ctx context.Context, out io.Writer, s buffer.Snapshot, progress func(entries int64)) (n int64, err error) {
	z, err := zstd.NewWriter(out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, fmt.Errorf("make compressor: %w", err)
	}
	w := bufio.NewWriterSize(z, 1<<16)
	for _, keyspace := range s.Keyspaces() {
		if err := writeParts(w, tagKeyspace, []byte(keyspace)); err != nil {
			return n, errors.Join(err, z.Close())
		}
		err := s.Scan(ctx, keyspace, nil, nil, func(key, value []byte) error {
			if n++; n%1000 == 0 {
				progress(n)
			}
			return writeParts(w, tagEntry, key, value)
		})
		if err != nil {
			return n, errors.Join(fmt.Errorf("copy the keyspace %s: %w", keyspace, err), z.Close())
		}
	}
	err = errors.Join(w.WriteByte(tagEnd), writeUvarint(w, uint64(n)), w.Flush())
	return n, errors.Join(err, z.Close())
}

func writeParts(w *bufio.Writer, tag byte, parts ...[]byte) error {
	if err := w.WriteByte(tag); err != nil {
		return err
	}
	for _, p := range parts {
		if err := writeUvarint(w, uint64(len(p))); err != nil {
			return err
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

func writeUvarint(w *bufio.Writer, n uint64) error {
	_, err := w.Write(binary.AppendUvarint(nil, n))
	return err
}

// readRecord calls keyspace and entry for what a record holds. The bytes are the callee's. An error of the record
// itself is damage of the file p.
func readRecord(ctx context.Context, p string, in io.Reader, keyspace func(name string) error,
	entry func(keyspace string, key, value []byte) error) (n int64, err error) {
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return 0, fmt.Errorf("make decompressor: %w", err)
	}
	defer z.Close()
	r := bufio.NewReaderSize(z, 1<<16)
	current := ""
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		tag, err := r.ReadByte()
		if err != nil {
			return n, recordError(ctx, p, err)
		}
		switch tag {
		case tagKeyspace:
			name, err := readPart(r)
			if err != nil {
				return n, recordError(ctx, p, err)
			}
			current = string(name)
			if err := keyspace(current); err != nil {
				return n, err
			}
		case tagEntry:
			key, err := readPart(r)
			if err != nil {
				return n, recordError(ctx, p, err)
			}
			value, err := readPart(r)
			if err != nil {
				return n, recordError(ctx, p, err)
			}
			if err := entry(current, key, value); err != nil {
				return n, err
			}
			n++
		case tagEnd:
			want, err := binary.ReadUvarint(r)
			if err == nil && want != uint64(n) {
				err = fmt.Errorf("it has %d entries instead of %d", n, want)
			}
			if err != nil {
				return n, recordError(ctx, p, err)
			}
			return n, nil
		default:
			return n, damaged(p, fmt.Sprintf("unknown tag %#x", tag))
		}
	}
}

// recordError words an error of reading a record.
func recordError(ctx context.Context, p string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if code := kalam.CodeOf(err); code == kalam.CodeCorrupt {
		return err
	}
	return damaged(p, err.Error())
}

func readPart(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxPart {
		return nil, fmt.Errorf("a part of %d bytes", n)
	}
	var b bytes.Buffer // A damaged length must not take memory that nothing fills.
	if n < 1<<20 {
		b.Grow(int(n))
	}
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
