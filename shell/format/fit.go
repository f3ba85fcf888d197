package format

import (
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
)

// Bounds of the widths of fitted columns.
const (
	readable    = 10 // To which a name or text is cut before a column is left out.
	narrowest   = 4  // Of a column that is left alone.
	indentation = 3  // What a column takes beside its cells: a line and two blanks.
)

// wholeColumns tells which columns are of no use when their cells are cut: keys,
// and all but text and nested values.
func wholeColumns(columns []link.Column) []bool {
	whole := make([]bool, len(columns))
	for i, c := range columns {
		family := c.Type.Kind.Family()
		long := family == kalam.FamilyText || family == kalam.FamilyJSON || family == kalam.FamilyBytes
		whole[i] = c.PrimaryKey || !long
	}
	return whole
}

// fit makes a table at most limit wide, 0 being no limit. The first row of cells
// has the names. Texts are cut first, the widest most, then names; the cells of
// whole columns stay as they are. If that is not enough, columns are left out from
// the right. It returns the cells and the number of columns that remain.
func fit(cells [][]string, whole []bool, limit int) ([][]string, int) {
	n := len(cells[0])
	if limit <= 0 || n == 0 {
		return cells, n
	}
	names, values := make([]int, n), make([]int, n)
	for i, row := range cells {
		for j, cell := range row {
			w := text.StringWidthWithoutEscSequences(cell)
			if i == 0 {
				names[j] = w
			} else {
				values[j] = max(values[j], w)
			}
		}
	}
	var widths []int
	for ; n > 0 && widths == nil; n-- {
		widths = fitWidths(names[:n], values[:n], whole, limit-1-indentation*n)
	}
	if n = len(widths); n == 0 {
		n, widths = 1, []int{max(limit-1-indentation, narrowest)}
	}
	out := make([][]string, len(cells))
	for i, row := range cells {
		out[i] = make([]string, n)
		for j, cell := range row[:n] {
			if out[i][j] = cell; text.StringWidthWithoutEscSequences(cell) > widths[j] {
				out[i][j] = text.Snip(cell, widths[j], "...")
			}
		}
	}
	return out, n
}

// fitWidths returns the widths of columns so that they take no more than room
// together, nil if that cannot be.
func fitWidths(names, values []int, whole []bool, room int) []int {
	widths, least := make([]int, len(names)), make([]int, len(names))
	for j := range names {
		widths[j] = max(names[j], values[j])
		if least[j] = widths[j]; !whole[j] {
			least[j] = min(widths[j], max(names[j], readable))
		}
	}
	if lower(widths, least, room) {
		return widths
	}
	for j := range names { // The names give way too.
		if whole[j] {
			least[j] = max(values[j], min(names[j], readable))
		} else {
			least[j] = min(widths[j], readable)
		}
	}
	if lower(widths, least, room) {
		return widths
	}
	return nil
}

// lower cuts widths to one level, but none below its least, so that they take no
// more than room together. It reports false, and changes nothing, if that cannot
// be.
func lower(widths, least []int, room int) bool {
	total := func(level int) (sum int) {
		for j, w := range widths {
			sum += max(min(w, level), least[j])
		}
		return sum
	}
	if total(0) > room {
		return false
	}
	low, high := 0, 0 // The largest level that fits is in [low, high].
	for _, w := range widths {
		high = max(high, w)
	}
	for low < high {
		if middle := (low + high + 1) / 2; total(middle) <= room {
			low = middle
		} else {
			high = middle - 1
		}
	}
	rest := room - total(low)
	for j, w := range widths {
		widths[j] = max(min(w, low), least[j])
		if widths[j] < w && rest > 0 { // What is left over goes to the first ones.
			widths[j]++
			rest--
		}
	}
	return true
}
