package transfer

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// The formats of files.
const (
	CSV    = "csv"
	TSV    = "tsv"
	NDJSON = "ndjson"
	JSON   = "json"
)

// Formats returns the names of the formats that files may have.
func Formats() []string { return []string{CSV, TSV, NDJSON, JSON} }

// formatOf tells the format of a file by its name, "" if that does not say it.
func formatOf(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch filepath.Ext(name) {
	case ".csv", ".txt":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".ndjson", ".jsonl":
		return NDJSON
	case ".json":
		return JSON
	}
	return ""
}

// checkFormat returns the format that is given, else that of the file's name.
func checkFormat(given, name string) (string, error) {
	given = strings.ToLower(given)
	if given == "jsonl" {
		return NDJSON, nil
	}
	if given == "" {
		given = formatOf(name)
	}
	for _, f := range Formats() {
		if f == given {
			return f, nil
		}
	}
	known := strings.Join(Formats(), ", ")
	if given == "parquet" || strings.HasSuffix(strings.ToLower(name), ".parquet") {
		return "", fmt.Errorf("kalam does not read or write Parquet (it has %s); EXPORT USER DATA makes "+
			"Parquet files on the server, and duckdb -c \"COPY 'FILE.parquet' TO 'FILE.csv'\" makes CSV of one", known)
	}
	if given == "" {
		return "", fmt.Errorf("%s does not say what format it is of: give --format %s", name, known)
	}
	return "", fmt.Errorf("unknown format %q (expected %s)", given, known)
}

// source is a file that is read, or standard input.
type source struct {
	name string // As the user wrote it; "-" is standard input.
	path string // Absolute; "" for standard input.
	size int64  // 0 for what has none.
	sum  string // Of its size, time and first bytes: another file has another one.
	read atomic.Int64
	file *os.File
	in   io.Reader
	gzip *gzip.Reader
}

// openSource opens a file. Its owner calls close.
func openSource(name string, stdin io.Reader) (*source, error) {
	s := &source{name: name}
	if name == "-" {
		s.in = s.counted(stdin)
		return s, nil
	}
	var err error
	if s.file, err = os.Open(name); err != nil {
		return nil, err
	}
	if err := s.identify(); err != nil {
		return nil, errors.Join(err, s.file.Close())
	}
	s.in = s.counted(s.file)
	if strings.HasSuffix(strings.ToLower(name), ".gz") {
		if s.gzip, err = gzip.NewReader(s.in); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, err), s.file.Close())
		}
		s.in = s.gzip
	}
	return s, nil
}

// identify reads what tells the file from others, and goes back to its begin.
func (s *source) identify() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", s.name)
	}
	if s.path, err = filepath.Abs(s.name); err != nil {
		return err
	}
	if !info.Mode().IsRegular() { // A pipe has no begin to go back to.
		s.path = ""
		return nil
	}
	s.size = info.Size()
	h := sha256.New()
	fmt.Fprintf(h, "%d %d\n", info.Size(), info.ModTime().UnixNano())
	if _, err := io.CopyN(h, s.file, 1<<20); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	_, err = s.file.Seek(0, io.SeekStart)
	return err
}

// counted counts the bytes that are read of the file.
func (s *source) counted(in io.Reader) io.Reader { return counter{in, &s.read} }

// counter counts the bytes that are read.
type counter struct {
	in io.Reader
	n  *atomic.Int64
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// close closes the file.
func (s *source) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
