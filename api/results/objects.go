package results

import (
	"strconv"

	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/read"
)

// RowsAre reads the query parameter "rows": how the rows of a document are written. ok is false when it is neither
// "arrays", which "" means, too, nor "objects".
func RowsAre(name string) (objects, ok bool) {
	return name == "objects", name == "objects" || name == "arrays" || name == ""
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
