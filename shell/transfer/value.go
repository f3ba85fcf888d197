package transfer

import (
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
)

// valueKind tells how a value stands in a file.
type valueKind uint8

// The kinds. Those of delimited files are null and text only.
const (
	null   valueKind = iota
	text             // What it means depends on the column.
	quoted           // A JSON string, or a field in quotes: never NULL.
	number           // A JSON number.
	boolean
	nested // A JSON array or object.
)

// value is one value of a file.
type value struct {
	kind valueKind
	text string
}

// record is one row of a file: a value per column of its reader.
type record struct {
	number int64 // From 1, of the record in the file, bad ones counted.
	line   int64 // From 1, where it begins; 0 where lines mean nothing.
	values []value
}

// reader reads the records of a file. It is used by one goroutine.
type reader interface {
	// columns returns the names of the values, as the file writes them.
	columns() []string
	// next returns the next record, io.EOF behind the last, a *badRecord for one that
	// cannot be read and after which more may come.
	next() (record, error)
}

// badRecord is a record that cannot be read.
type badRecord struct {
	number, line int64
	reason, text string
}

// Error returns the place and the reason.
func (b *badRecord) Error() string {
	return fmt.Sprintf("line %d: %s", b.line, b.reason)
}

// identifier makes a name of a column of the name that a file has for it: `First Name` is
// first_name. number counts the columns from 1.
func identifier(name string, number int) string {
	const most = 60 // Leaves room for the number of a name that comes twice.
	if lower := strings.ToLower(name); kalam.CheckIdentifier("column", lower) == nil {
		return lower
	}
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(name)) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && s[len(s)-1] != '_' {
			b.WriteByte('_')
		}
		if b.Len() >= most {
			break
		}
	}
	id := strings.TrimRight(b.String(), "_")
	switch {
	case id == "":
		return fmt.Sprintf("column_%d", number)
	case id[0] >= '0' && id[0] <= '9':
		return "c_" + id
	}
	return id
}

// identifiers makes names of columns, each once.
func identifiers(names []string) []string {
	taken := map[string]bool{}
	out := make([]string, len(names))
	for i, name := range names {
		id := identifier(name, i+1)
		for n := 2; taken[id]; n++ {
			id = fmt.Sprintf("%.60s_%d", identifier(name, i+1), n)
		}
		taken[id] = true
		out[i] = id
	}
	return out
}
