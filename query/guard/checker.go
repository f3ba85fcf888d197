package guard

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/tree"
)

// checker checks and rewrites one statement.
type checker struct {
	sql    string
	prefix string         // Of generated table names; unguessable.
	zone   *time.Location // Of moments that are written without one; nil is UTC.
	err    error          // The first refusal. Walking goes on as a no-op.

	nodes, depth int
	tables       []*tableUse
	ctes         int
	params       map[int]bool    // Placeholders seen.
	marks        map[string]bool // Marks that nodes have.
	added        []ArgKind
	names        []nameUse // Column and function names, to place errors.
	scopes       []*selectScope
	items        []itemUse // Result columns whose text was changed.
	operands     []Operand
	meetings     []Meeting
	operandAt    map[string]int // Index of an operand by what makes it equal to another.
	meetingAt    map[string]int // The same of a meeting.
	inFrom       bool           // Inside the function of a table reference.
	in           surroundings
	relations    int            // Seen so far.
	width        int            // Of the query walked last, see starWidth.
	exports      systemColumn   // That the queries walked last have among their results.
	rows         map[int]string // Aliases of the tables of which whole rows are named, by number.

	pivots bool // There is a PIVOT.

	scope  *cteScope
	sel    *selectScope
	filter bool // Inside an expression that selects rows.
	// generated is set for the second walk, over the text that will run: every
	// table must bear a generated name, and nothing is rewritten.
	generated bool
}

// nameUse is where a name stands in the text.
type nameUse struct {
	name string
	pos  int
}

// itemUse is an element of a SELECT list whose name the rewrite would change.
type itemUse struct {
	item     tree.Node // As rewritten.
	original tree.Node // As written.
}

// surroundings are what the walk is in, as far as expressions care.
type surroundings struct {
	// How many lambdas, macros that double their arguments, and subqueries.
	lambdas, macros, subqueries int
	disjoint                    bool      // Below an OR or NOT.
	nesting                     int       // How deep in one expression.
	results                     aliasRule // What an alias is to a name.
}

func newChecker(sql, prefix string) *checker {
	return &checker{
		sql: sql, prefix: prefix, params: map[int]bool{}, marks: map[string]bool{}, rows: map[int]string{},
		operandAt: map[string]int{}, meetingAt: map[string]int{},
	}
}

// refuse records the first refusal.
func (c *checker) refuse(n tree.Node, code kalam.Code, format string, args ...any) {
	c.refuseAs(n, kalam.Errorf(code, format, args...))
}

// refuseAs is refuse with an error, which gets the place of n.
func (c *checker) refuseAs(n tree.Node, e *kalam.Error) {
	if c.err != nil {
		return
	}
	if pos := tree.Offset(n); pos >= 0 && pos <= len(c.sql) && !c.generated {
		e = e.At(pos)
	}
	c.err = e
}

// enter counts a node; it is false when the walk must stop.
func (c *checker) enter(n tree.Node) bool {
	c.nodes++
	c.depth++
	if c.nodes > maxNodes {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too large: it has more than %d elements", maxNodes)
	}
	if c.depth > maxDepth {
		c.refuse(n, kalam.CodeInvalidSQL, "Query is too deeply nested")
	}
	return c.err == nil
}

func (c *checker) leave() { c.depth-- }

// known refuses fields of n that are neither in its shape nor among the words
// of common.
func (c *checker) known(n tree.Node, what string, s fieldKinds, common string) {
	for key, v := range n {
		if _, ok := s[key]; !ok && !wordOf(common, key) && !tree.IsEmpty(v) {
			c.refuse(n, kalam.CodeUnsupported, "This form of %s is not supported (%s)", what, key)
		}
	}
}

// ArgKind is what a parameter that the rewrite adds stands for.
type ArgKind uint8

const (
	ArgNow       ArgKind = iota // Args.Now as TIMESTAMP.
	ArgUser                     // Args.User as text.
	ArgRole                     // Args.Role as text.
	ArgNamespace                // Args.Namespace as text.
	ArgLocal                    // Args.Now as the TIMESTAMP that clocks show in the zone of the settings.
)

// Operand is a literal or placeholder of the user's that meets an expression.
type Operand struct {
	Value    kalam.Value // Of a literal.
	Text     string      // The literal in SQL as long as nothing gives it a type.
	Param    int         // The number of a placeholder, 0 for a literal.
	Meeting  int         // Its meeting.
	Position int         // In the analysed text, -1 when it is unknown.
}

// Meeting is an expression, or several of one type, that operands meet.
type Meeting struct {
	Column string // When it is a column of one of tables, in lower case; else "".
	Tables []int
	Type   kalam.DataType // When the text alone tells it, as that of a cast; else KindNull.
	Try    bool           // Of a cast that gives NULL for what is not of its type.
}

// mark sets the field mark of n, for eachMarked.
func (c *checker) mark(n tree.Node, mark string, v any) {
	n[mark] = v
	c.marks[mark] = true
}
