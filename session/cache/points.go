package cache

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Points remembers, by text, which SELECTs are reads of one row by columns
// (nil: not). It holds nothing of a user, and is safe for
// concurrent use.
type Points struct {
	cache *lru.Cache[string, *dialect.Point]
}

// NewPoints returns one for so many texts.
func NewPoints(size int) (*Points, error) {
	c, err := lru.New[string, *dialect.Point](size)
	return &Points{c}, err
}

// Get returns the point read that st is, nil if it is none.
func (c *Points) Get(st *ast.Select) (p *dialect.Point, hit bool) {
	if len(st.SQL) > maxPointText {
		return dialect.PointOf(st), false
	}
	if p, ok := c.cache.Get(st.SQL); ok {
		return p, true
	}
	p = dialect.PointOf(st)
	c.cache.Add(st.SQL, p)
	return p, false
}

// Clear empties the cache and returns how many texts it held.
func (c *Points) Clear() int {
	n := c.cache.Len()
	c.cache.Purge()
	return n
}

// maxPointText is the longest statement whose form as a point read is
// remembered; longer ones are read anew each time.
const maxPointText = 4 << 10
