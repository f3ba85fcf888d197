package transfer

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is an export: a zip file, a directory, or one file.
type tree struct {
	source *source
	files  fs.FS
	single string // The name of the one file; "" for others.
}

// openTree opens an export. Closing its source closes it.
func openTree(path string) (*tree, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openDirectory(path)
	}
	s, err := openSource(path, nil)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(strings.ToLower(path), ".zip") {
		return &tree{source: s, single: filepath.Base(path)}, nil
	}
	z, err := zip.NewReader(s.file, s.size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), s.close())
	}
	return &tree{source: s, files: z}, nil
}

// openDirectory opens an export that was unpacked. Its sum is of the names, sizes and times
// of its files.
func openDirectory(path string) (*tree, error) {
	s := &source{name: path}
	var err error
	if s.path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	root := os.DirFS(path)
	h := sha256.New()
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s.size += info.Size()
		_, err = fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		return nil, err
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return &tree{source: s, files: root}, nil
}

// decode reads a JSON file of the export.
func (t *tree) decode(name string, into any) error {
	b, err := fs.ReadFile(t.files, name)
	if err != nil {
		return err
	}
	t.source.read.Add(int64(len(b)))
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// elements reads the elements of an array, one at a time: of the one file, or of the file
// with a name.
func (t *tree) elements(name string) (func() ([]byte, int64, error), error) {
	in := t.source.in
	if t.files != nil {
		f, err := t.files.Open(name)
		if err != nil {
			return nil, err
		}
		in = closing{f, t.source.counted(f)}
	}
	return streamObjects(bufio.NewReaderSize(in, 1<<20)), nil
}

// closing closes a file at its end.
type closing struct {
	file fs.File
	in   io.Reader
}

func (c closing) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	if err != nil {
		if cerr := c.file.Close(); cerr != nil && !errors.Is(cerr, fs.ErrClosed) {
			return n, cerr
		}
	}
	return n, err
}
