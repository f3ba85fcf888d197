package maintain

import "github.com/kalamlake/kalam/buffer"

// Which segments of a scope are merged. The sizes below are living rows of the
// scope's segments in commit order; a run is [from, to).

const (
	// maxCompactRows is how many rows a merged file gets at most, unless a segment
	// alone has more: the keys of a file are in memory while it is written. A
	// segment of half as many is full: the background rule leaves it alone.
	maxCompactRows = 1 << 20
	// tierFactor is how much larger than all that came after it together a segment
	// may be to be merged with it.
	tierFactor = 2
)

type segmentRun struct{ from, to int }

// fullRuns splits all segments into runs of at most maxCompactRows rows.
func fullRuns(rows []int64) []segmentRun {
	var runs []segmentRun
	var sum int64
	for i, n := range rows {
		if i == 0 || sum+n > maxCompactRows {
			runs = append(runs, segmentRun{i, i})
			sum = 0
		}
		sum += n
		runs[len(runs)-1].to = i + 1
	}
	return runs
}

// tierRun returns the run that the background rule merges, false when there is
// none. The longest run of neighbours that are not full counts, if it has at least
// most segments. Of it the newest are merged: two at least, and each older one
// while it is at most tierFactor times what is taken already or most or more
// would be left. So the sizes that stay fall from old to new, a row is rewritten
// about as often as the logarithm of their number says, and fewer than most are
// left. most 0 turns the rule off; 1, of which nothing could be merged, is 2.
func tierRun(rows []int64, most int) (segmentRun, bool) {
	if most == 0 {
		return segmentRun{}, false
	}
	most = max(most, 2)
	var longest segmentRun
	for i := 0; i < len(rows); i++ {
		r := segmentRun{i, i}
		for r.to < len(rows) && rows[r.to] < maxCompactRows/2 {
			r.to++
		}
		if r.to-r.from >= longest.to-longest.from {
			longest = r
		}
		i = r.to
	}
	if longest.to-longest.from < most {
		return segmentRun{}, false
	}
	r := segmentRun{longest.to - 2, longest.to}
	sum := rows[r.from] + rows[r.from+1]
	for r.from > longest.from {
		next := rows[r.from-1]
		left := r.from - longest.from + 1
		if sum+next > maxCompactRows || next > tierFactor*sum && left < most {
			break
		}
		r.from--
		sum += next
	}
	return r, true
}

// livingRows returns how many rows of each segment are not dead.
func livingRows(segments []buffer.SegmentView) []int64 {
	rows := make([]int64, len(segments))
	for i, s := range segments {
		rows[i] = s.Segment.Rows
		if s.Dead != nil {
			rows[i] -= int64(s.Dead.GetCardinality())
		}
	}
	return rows
}
