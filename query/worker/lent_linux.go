package worker

import (
	"errors"
	"os"
	"regexp"
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/duckerr"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// descriptors is the folder of the paths of open files, which open in lent.c knows.
const descriptors = "/proc/self/fd/"

// lent are the files that the server has opened for the call under way.
type lent struct {
	files []*os.File
	names map[string]string // Paths as the server names them, by those that DuckDB reads.
}

// take keeps the files of a frame.
func (l *lent) take(f process.Frame) error {
	r := wire.NewReader(f.Payload)
	if first := r.Bool(); first {
		l.giveBack()
	}
	l.files = append(l.files, f.Files...)
	return r.Err()
}

// giveBack closes the files.
func (l *lent) giveBack() {
	for _, f := range l.files {
		_ = f.Close() // It was only read.
	}
	*l = lent{}
}

// place puts the paths of the open files in the place of the server's.
func (l *lent) place(params []query.Param) error {
	next := 0
	for i := range params {
		for k, name := range params[i].Paths {
			if next == len(l.files) {
				return kalam.Errorf(kalam.CodeInternal, "a query worker was lent %d files, which are too few", next)
			}
			path := descriptors + strconv.Itoa(int(l.files[next].Fd()))
			if l.names == nil {
				l.names = make(map[string]string, len(l.files))
			}
			l.names[path], params[i].Paths[k] = name, path
			next++
		}
	}
	return nil
}

var descriptorPattern = regexp.MustCompile(`/proc/self/fd/[0-9]+`)

// named returns a text of DuckDB's with the files as the server names them.
func (l *lent) named(text string) string {
	if len(l.names) == 0 {
		return text
	}
	return descriptorPattern.ReplaceAllStringFunc(text, func(path string) string {
		if name, ok := l.names[path]; ok {
			return name
		}
		return path
	})
}

// failed is named for an error.
func (l *lent) failed(err error) error {
	var de *duckerr.Error
	if !errors.As(err, &de) {
		return err
	}
	named := *de
	named.Message = l.named(de.Message)
	return &named
}
