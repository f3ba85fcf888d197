package transfer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// reject is a record that was not loaded.
type reject struct {
	told         bool // The load has counted it.
	record, line int64
	reason, text string
}

// place says where the record is.
func (r reject) place() string {
	if r.line > 0 {
		return "line " + strconv.FormatInt(r.line, 10)
	}
	return "record " + strconv.FormatInt(r.record, 10)
}

// rejects is the file of the records that were not loaded: CSV with the record's number,
// its line, the reason and the record. It is made with the first of them.
type rejects struct {
	path string // "" keeps none.
	size int64  // Of what belongs to batches that are done.
	file *os.File
}

// openRejects cuts off what was written behind the last batch that is done.
func openRejects(path string, size int64) (*rejects, error) {
	r := &rejects{path: path, size: size}
	if path == "" || size == 0 {
		return r, nil
	}
	var err error
	if r.file, err = os.OpenFile(path, os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("go on with the file of rejects: %w", err)
	}
	if err := r.file.Truncate(size); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

// add appends records.
func (r *rejects) add(list []reject) error {
	if len(list) == 0 || r.path == "" {
		return nil
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	if r.file == nil {
		var err error
		if r.file, err = createOwn(r.path); err != nil {
			return err
		}
		if err := w.Write([]string{"record", "line", "reason", "text"}); err != nil {
			return err
		}
	}
	for _, j := range list {
		line := ""
		if j.line > 0 {
			line = strconv.FormatInt(j.line, 10)
		}
		if err := w.Write([]string{strconv.FormatInt(j.record, 10), line, j.reason, j.text}); err != nil {
			return err
		}
	}
	if w.Flush(); w.Error() != nil {
		return w.Error()
	}
	n, err := r.file.WriteAt([]byte(b.String()), r.size)
	r.size += int64(n)
	return err
}

// close closes the file.
func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.file.Sync(), r.file.Close())
}
