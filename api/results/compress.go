package results

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compressFrom is the size from which on a whole document is compressed: less fits
// into one packet.
const compressFrom = 1400

// compressor is what both encodings' writers are.
type compressor interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// compressors are idle writers of each content encoding, which take memory and time to
// make.
var compressors = map[string]*sync.Pool{
	"gzip": {New: func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			return gzip.NewWriter(nil) // The level is valid, so this does not happen.
		}
		return w
	}},
	"zstd": {New: func() any {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil // The options are valid, so this does not happen.
		}
		return w
	}},
}

// acceptedEncoding returns the content encoding that a client likes most, "" for none:
// that of the highest weight in Accept-Encoding (RFC 9110, 12.5.3), zstd of two that are
// equal. A client that does not say so gets nothing compressed.
func acceptedEncoding(header string) string {
	best, weight := "", 0.0
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if compressors[name] == nil {
			continue
		}
		q := 1.0
		if text, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if q > weight || q == weight && q > 0 && name == "zstd" {
			best, weight = name, q
		}
	}
	return best
}

// Packing compresses the pieces of one document.
type Packing struct {
	encoding string // "" for none.
	w        compressor
	out      bytes.Buffer // What w wrote and was not yet sent.
}

// NewPacking returns the packing that a client asks for by Accept-Encoding.
func NewPacking(accept string) *Packing { return &Packing{encoding: acceptedEncoding(accept)} }

// Encoding returns the content encoding, "" for none.
func (p *Packing) Encoding() string { return p.encoding }

// Pieces returns a send that compresses each piece, so that its reader can have all of it.
func (p *Packing) Pieces(send func([]byte) bool) func([]byte) bool {
	if p.encoding == "" {
		return send
	}
	return func(piece []byte) bool {
		if p.w == nil {
			p.w = compressors[p.encoding].Get().(compressor)
			p.w.Reset(&p.out)
		}
		if _, err := p.w.Write(piece); err != nil {
			return false // A buffer takes everything, so this does not happen.
		}
		if err := p.w.Flush(); err != nil {
			return false
		}
		return p.drain(send)
	}
}

// End sends what ends a document of pieces.
func (p *Packing) End(send func([]byte) bool) bool {
	if p.w == nil {
		return true
	}
	return p.w.Close() == nil && p.drain(send)
}

// drain sends what was compressed.
func (p *Packing) drain(send func([]byte) bool) bool {
	ok := p.out.Len() == 0 || send(p.out.Bytes())
	p.out.Reset()
	return ok
}

// Free gives the compressor back.
func (p *Packing) Free() {
	if p.w == nil {
		return
	}
	p.w.Reset(nil)
	compressors[p.encoding].Put(p.w)
	p.w = nil
}

// Whole returns a document that is sent at once, compressed if that is worth it.
func (p *Packing) Whole(body []byte) (_ []byte, isCompressed bool) {
	if p.encoding == "" || len(body) < compressFrom {
		return body, false
	}
	return Compressed(p.encoding, body), true
}

// Compressed returns a compressed copy of data.
func Compressed(encoding string, data []byte) []byte {
	w := compressors[encoding].Get().(compressor)
	defer compressors[encoding].Put(w)
	var out bytes.Buffer
	out.Grow(len(data) / 2)
	w.Reset(&out)
	// A buffer takes everything, so neither fails.
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}
