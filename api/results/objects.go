package results

import (
	"strconv"

	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/read"
)

// Form is how the rows and cells of a document are written.
type Form struct {
	Objects bool // Every row is an object of its columns instead of an array.
	ISO     bool // Times are texts of ISO 8601 instead of numbers.
}

// FormOf reads the query parameters "rows" and "times" of a request; "" are the defaults. problem says which of them
// has a value that it does not take.
func FormOf(rows, times string) (f Form, problem string) {
	switch rows {
	case "objects":
		f.Objects = true
	case "arrays", "":
	default:
		return f, "rows must be arrays or objects"
	}
	switch times {
	case "iso":
		f.ISO = true
	case "numbers", "":
	default:
		return f, "times must be numbers or iso"
	}
	return f, ""
}

// leads returns what stands before each cell of a row: a comma, and, of objects, the name. A name that comes again
// gets a number, as in id, id_1: of two members of one name readers keep one.
func leads(dst [][]byte, fields []read.Field, objects bool) [][]byte {
	if objects {
		taken := map[string]bool{}
		for _, f := range fields {
			taken[f.Name] = true
		}
		seen := map[string]bool{}
		for i, f := range fields {
			name := f.Name
			for n := 1; seen[name] || name != f.Name && taken[name]; n++ {
				name = f.Name + "_" + strconv.Itoa(n)
			}
			seen[name] = true
			lead := datatype.AppendJSONString(append([]byte(nil), comma[:min(i, 1)]...), name)
			dst = append(dst, append(lead, ':'))
		}
		return dst
	}
	for i := range fields {
		dst = append(dst, comma[:min(i, 1)])
	}
	return dst
}

// comma is a constant: nobody writes what leads returns.
var comma = []byte{','}
