package query

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// What of copy.go concerns files that are read: compaction copies the living rows
// of several files into one, without bringing them into the memory of Go.

// copyText returns the query of a COPY. The files of each group are a parameter.
func (s *shaped) copyText() string { return strings.Join(s.branches(0, 1, everything), " UNION ALL ") }

// bindFiles sets the parameters of copyText.
func (s *shaped) bindFiles(st *statement) error {
	for i := range s.groups {
		if err := st.bindPaths(i+1, s.groups[i].files); err != nil {
			return err
		}
	}
	return nil
}

// filesHaveNegativeZero reports whether a FLOAT or DOUBLE column of the files
// holds -0. The ranges in the files decide it for nearly all row groups.
func (c *copier) filesHaveNegativeZero(src *Source, shape *shaped) (bool, error) {
	var terms []string
	for _, f := range src.Schema.Fields() {
		if id := f.Type.ID(); id == arrow.FLOAT32 || id == arrow.FLOAT64 {
			name := quoteName(f.Name)
			terms = append(terms, "("+name+" = 0 AND signbit("+name+"))")
		}
	}
	if len(src.Files) == 0 || len(terms) == 0 {
		return false, nil
	}
	files := *shape
	files.scan = false // The batches come only once.
	st, err := c.conn.prepare("SELECT count(*) FROM (SELECT 1 FROM (" + files.copyText() + ") WHERE " + strings.Join(terms, " OR ") + " LIMIT 1)")
	if err != nil {
		return false, err
	}
	defer st.close()
	if err := files.bindFiles(st); err != nil {
		return false, err
	}
	res, err := st.start(false)
	if err != nil {
		return false, err
	}
	defer res.close()
	n, err := res.count()
	return n > 0, err
}
