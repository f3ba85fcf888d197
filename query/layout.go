package query

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

// Layout says where files of one schema version have the columns of a source.
// Columns are found by their place, which the caller knows from the ids of the
// table's columns. The names in the files decide nothing: a column may have been
// renamed, or dropped and another added under its name. A Layout is not changed once
// it is given.
type Layout struct {
	Version int          // Equal for files of a table that have the same columns under the same names.
	Width   int          // Number of columns that the files have.
	Columns []FileColumn // In the order of the source's schema.
}

// FileColumn is one column of a source in a file.
type FileColumn struct {
	Index   int         // Among the columns of the file; -1: it is older than the column.
	Missing kalam.Value // For Index -1: what its rows hold, of the column's type or NULL.
}

// wholeLayout returns the layout of files that have the columns of s.
func wholeLayout(s *Schema) *Layout {
	for _, c := range s.columns {
		if virtual(c.name) {
			return placedLayout(s)
		}
	}
	return nil
}

// placedLayout returns the layout of files that have the columns of s, found by
// place.
func placedLayout(s *Schema) *Layout {
	l := &Layout{Width: len(s.columns), Columns: make([]FileColumn, len(s.columns))}
	for i := range l.Columns {
		l.Columns[i].Index = i
	}
	return l
}

// virtual reports whether read_parquet adds a column of that name to those of a file.
func virtual(column string) bool {
	switch strings.ToLower(column) {
	case "file_index", "file_row_number", "filename":
		return true
	}
	return false
}

// check refuses a layout that is not one of s.
func (l *Layout) check(s *Schema) error {
	if len(l.Columns) != len(s.columns) {
		return kalam.Errorf(kalam.CodeInternal, "a layout of %d columns was given for %d", len(l.Columns), len(s.columns))
	}
	for _, c := range l.Columns {
		if c.Index >= l.Width {
			return kalam.Errorf(kalam.CodeInternal, "a layout has column %d of %d", c.Index, l.Width)
		}
	}
	return nil
}

// readsWith reports whether files of both layouts can be read by one call of
// read_parquet, which finds the columns of further files by the names in the first.
func (l *Layout) readsWith(other *Layout) bool {
	if l == nil || other == nil {
		return l == other
	}
	return l == other || l.Version == other.Version && l.Width == other.Width
}

// key appends a text that is equal for layouts that are read by the same text.
func (l *Layout) key(b *strings.Builder) {
	if l == nil {
		return
	}
	b.WriteString(strconv.Itoa(l.Width))
	for _, c := range l.Columns {
		b.WriteByte(':')
		if c.Index >= 0 {
			b.WriteString(strconv.Itoa(c.Index))
		} else if !c.Missing.IsNull() {
			b.WriteString(strconv.Quote(datatype.SQLText(c.Missing)))
		}
	}
}

// names returns the list that names the columns of the files after their places.
// None of them can be taken for a virtual one then.
func (l *Layout) names() string {
	if l == nil {
		return ""
	}
	var b strings.Builder
	for at := range l.Width {
		b.WriteString(", c" + strconv.Itoa(at))
	}
	return "(" + strings.TrimPrefix(b.String(), ", ") + ")"
}

// column returns the expression of column k of the source, which is c; stored says
// that the files have it.
func (l *Layout) column(k int, c column) (value string, stored bool) {
	switch {
	case l == nil:
		return "r." + sqltext.QuoteIdent(c.name), true
	case l.Columns[k].Index >= 0:
		return "r.c" + strconv.Itoa(l.Columns[k].Index), true
	case l.Columns[k].Missing.IsNull():
		return "NULL", false
	}
	return sqltext.QuoteString(datatype.SQLText(l.Columns[k].Missing)), false
}
