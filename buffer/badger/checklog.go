package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/dgraph-io/badger/v4/y"
)

// The form of a log: a header, then entries.
//
//	meta, 1 byte | user meta, 1 byte | key length, uvarint | value length, uvarint |
//	expiry, uvarint | key | value | crc32c of what precedes, 4 bytes big endian
const (
	logHeader  = 20
	logSumSize = 4
	metaTxn    = 1 << 6 // Of an entry of a transaction.
	metaTxnEnd = 1 << 7 // Of the last one.
	sectorSize = 512
)

// checkLog tells a damaged log from one that ends in what a crash interrupted.
// Badger reads a log up to the first entry that is not whole. What lies there was
// not finished, unless whole transactions follow: each is synced before the next
// is written, so the writing of what precedes one was finished. A single one may
// have reached the disk before its own first part, which then is blank.
func checkLog(data []byte, relaxed bool) error {
	if len(data) <= logHeader {
		return nil
	}
	at := logHeader
	for {
		n, _ := logEntry(data[at:])
		if n == 0 {
			break
		}
		at += n
	}
	written := len(bytes.TrimRight(data, "\x00"))
	ends, next := 0, 0
	for i := at; i < written && ends < 2; {
		n, txnEnd := logEntry(data[i:])
		if n == 0 {
			i++
			continue
		}
		if next == 0 {
			next = i
		}
		if txnEnd {
			ends++
		}
		i += n
	}
	if ends == 0 || hasBlankSector(data, at, next) && (ends == 1 || relaxed) {
		return nil
	}
	return fmt.Errorf("bad entry at %d", at)
}

// logEntry returns the length of the entry that b begins with, 0 when it is none,
// and whether it ends a transaction.
func logEntry(b []byte) (n int, txnEnd bool) {
	const minimum = 5
	if len(b) < minimum {
		return 0, false
	}
	at := 2
	var lengths [3]uint64
	for i := range lengths {
		v, k := binary.Uvarint(b[at:])
		if k <= 0 {
			return 0, false
		}
		lengths[i] = v
		at += k
	}
	room := uint64(len(b) - at)
	if lengths[0] == 0 || lengths[0] > room || lengths[1] > room-lengths[0] || room-lengths[0]-lengths[1] < logSumSize {
		return 0, false
	}
	end := at + int(lengths[0]+lengths[1])
	if crc32.Checksum(b[:end], y.CastagnoliCrcTable) != binary.BigEndian.Uint32(b[end:]) {
		return 0, false
	}
	return end + logSumSize, b[0]&metaTxnEnd != 0
}

// hasBlankSector reports whether a sector of the disk between two offsets, or the
// part of the first one that lies there, is blank.
func hasBlankSector(data []byte, from, to int) bool {
	for from < to {
		end := min((from/sectorSize+1)*sectorSize, len(data))
		if allZero(data[from:end]) {
			return true
		}
		from = end
	}
	return false
}

func allZero(b []byte) bool {
	return len(bytes.TrimLeft(b, "\x00")) == 0
}

// holdsTransaction reports whether a log begins with a whole transaction. Badger
// removes one that does not when it opens it.
func holdsTransaction(data []byte) bool {
	for at := logHeader; at < len(data); {
		n, txnEnd := logEntry(data[at:])
		if n == 0 {
			return false
		}
		if txnEnd || data[at]&metaTxn == 0 {
			return true
		}
		at += n
	}
	return false
}

// checkMemtableLog checks the log of a memtable.
func checkMemtableLog(name string, relaxed bool) error {
	return readMemtableLog(name, func(data []byte) error { return checkLog(data, relaxed) })
}

// logChunk is the unit in which the blank end of a log is left out.
const logChunk = 64 << 10

var blankChunk = make([]byte, logChunk)

// readMemtableLog calls f with the content of the log of a memtable.
func readMemtableLog(name string, f func(data []byte) error) error {
	data, err := readLog(name)
	if err != nil {
		return err
	}
	return f(data)
}

// readLog returns the content of a log, of which much is blank: the end is left out
// but for one chunk. The file is not mapped: where a log has holes, a mapped page of
// one takes space of a disk in memory, which may be full.
func readLog(name string) (data []byte, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	chunk := make([]byte, logChunk)
	blank := 0
	for {
		n, err := io.ReadFull(file, chunk)
		if bytes.Equal(chunk[:n], blankChunk[:n]) {
			blank += n
		} else {
			data = append(data, make([]byte, blank)...)
			data = append(data, chunk[:n]...)
			blank = 0
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return append(data, blankChunk[:min(blank, logChunk)]...), nil
		case err != nil:
			return nil, err
		}
	}
}

// logContent returns how long the log of a memtable is without its blank end.
func logContent(name string) (int64, error) {
	data, err := readLog(name)
	return int64(len(data)), err
}
