package recovery

import (
	"cmp"
	"slices"
)

// sourceSet is a set of sources.
type sourceSet []byte

func (s sourceSet) add(i int)      { s[i/8] |= 1 << (i % 8) }
func (s sourceSet) remove(i int)   { s[i/8] &^= 1 << (i % 8) }
func (s sourceSet) has(i int) bool { return s[i/8]&(1<<(i%8)) != 0 }

func (s sourceSet) meets(other sourceSet) bool {
	for i := range s {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// choice is the search for the files that make up a scope: each needed version is in
// one of them, and their seqs do not overlap. Crashes and compactions leave files
// beside, which have nothing that the others lack.
type choice struct {
	count   int
	needs   []need
	known   map[string]bool
	blocked []int // Damaged sources that alone have a version which counts.
}

// need says that a version which counts has to be in a chosen file.
type need struct {
	holders sourceSet // Files that have it.
	older   sourceSet // Files that have another version of its key.
	// tombstone: it may be missing where no other version of its key is. Compactions
	// forget tombstones so.
	tombstone bool
}

func newChoice(count int) *choice { return &choice{count: count, known: map[string]bool{}} }

func (c *choice) newSet() sourceSet { return make(sourceSet, (c.count+7)/8) }

// need adds a need, once.
func (c *choice) need(holders, older sourceSet, tombstone bool) {
	key := make([]byte, 0, 2*len(holders)+1)
	key = append(append(key, holders...), older...)
	if tombstone {
		key = append(key, 't')
	}
	if c.known[string(key)] {
		return
	}
	c.known[string(key)] = true
	c.needs = append(c.needs, need{slices.Clone(holders), slices.Clone(older), tombstone})
}

// met reports whether the chosen files have what is needed.
func (c *choice) met(chosen sourceSet) bool {
	for i := range c.needs {
		n := &c.needs[i]
		if !n.holders.meets(chosen) && (!n.tombstone || n.older.meets(chosen)) {
			return false
		}
	}
	return true
}

// maxSteps bounds the search.
const maxSteps = 1 << 16

// choose marks the chosen sources. What nothing needs is left out: first files that the
// trusted manifest.json does not name, the newest first, for a compaction that was not
// finished is newer than what it read. It reports whether the chosen ones overlap, for
// want of better.
func (c *choice) choose(sources []*keySource) (overlap bool) {
	order := make([]int, 0, len(sources))
	all := c.newSet()
	for i, s := range sources {
		if s.damage == nil {
			order = append(order, i)
			all.add(i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int {
		a, b := sources[x], sources[y]
		if a.named != b.named {
			return cmp.Compare(rank(a.named), rank(b.named))
		}
		return cmp.Or(b.file.Segment.CreatedAt.Compare(a.file.Segment.CreatedAt),
			cmp.Compare(b.file.Segment.MaxSeq, a.file.Segment.MaxSeq))
	})
	chosen := c.thin(slices.Clone(all), order)
	if c.overlapping(sources, chosen) != nil {
		s := &search{choice: c, sources: sources, order: order, steps: maxSteps}
		if found := s.run(slices.Clone(all)); found != nil {
			chosen = c.thin(found, order)
		} else {
			overlap = true
		}
	}
	for i, s := range sources {
		s.chosen = chosen.has(i)
	}
	return overlap
}

func rank(named bool) int {
	if named {
		return 1
	}
	return 0
}

// thin leaves out what is not needed, in order.
func (c *choice) thin(chosen sourceSet, order []int) sourceSet {
	for _, i := range order {
		if !chosen.has(i) {
			continue
		}
		if chosen.remove(i); !c.met(chosen) {
			chosen.add(i)
		}
	}
	return chosen
}

// overlapping returns two chosen files whose seqs overlap.
func (c *choice) overlapping(sources []*keySource, chosen sourceSet) []int {
	var list []int
	for i := range sources {
		if chosen.has(i) {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(x, y int) int {
		return cmp.Compare(sources[x].file.Segment.MinSeq, sources[y].file.Segment.MinSeq)
	})
	last := -1
	for _, i := range list {
		if last >= 0 && sources[i].file.Segment.MinSeq <= sources[last].file.Segment.MaxSeq {
			return []int{last, i}
		}
		if last < 0 || sources[i].file.Segment.MaxSeq > sources[last].file.Segment.MaxSeq {
			last = i
		}
	}
	return nil
}

// search looks for files that do not overlap and have all that is needed. Of two that
// overlap one must go.
type search struct {
	choice  *choice
	sources []*keySource
	order   []int
	steps   int
}

func (s *search) run(chosen sourceSet) sourceSet {
	if s.steps--; s.steps < 0 {
		return nil
	}
	pair := s.choice.overlapping(s.sources, chosen)
	if pair == nil {
		if s.choice.met(chosen) {
			return chosen
		}
		return nil
	}
	slices.SortFunc(pair, func(x, y int) int { return cmp.Compare(slices.Index(s.order, x), slices.Index(s.order, y)) })
	for _, i := range pair {
		next := slices.Clone(chosen)
		next.remove(i)
		if !s.possible(next) {
			continue
		}
		if found := s.run(next); found != nil {
			return found
		}
	}
	return nil
}

// possible reports whether less than chosen may still have what is needed.
func (s *search) possible(chosen sourceSet) bool {
	for i := range s.choice.needs {
		if n := &s.choice.needs[i]; !n.tombstone && !n.holders.meets(chosen) {
			return false
		}
	}
	return true
}
