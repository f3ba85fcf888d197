package query

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
)

// Plan is an analysed query. It holds nothing of who runs it, is immutable and
// safe for concurrent use.
type Plan struct {
	*analysed
	refs []TableRef
	hit  bool
	once bool    // It holds values of one run, after which nothing of it stays.
	at   *places // Of the analysed text in the given one; nil when they are equal.
}

// TableRef is one occurrence of a table in a query. WITH names, aliases and
// table functions are no tables.
type TableRef struct {
	Parts []string // Of the name, one to three, in lower case.
	// Position is the 0-based byte offset of the name in the text given to Analyse.
	Position int
	// Namespace is the one that qualified columns give the table, as in ns.t.c, while
	// its name has none: another table is not meant. "" when no column does.
	Namespace string
	// NamesDeleted says that a filter on the table names _deleted, so that its
	// deleted rows are to be read too.
	NamesDeleted bool
	// NamesDropped says that a filter on the table names deleted_at: system.users shows
	// dropped users then.
	NamesDropped bool
}

// Tables returns the tables of the query in the order in which Query takes their
// sources.
func (p *Plan) Tables() []TableRef { return p.refs }

// CacheHit reports whether the analysis was found in the plan cache.
func (p *Plan) CacheHit() bool { return p.hit }

// Params returns the number of placeholders, which are $1 to $Params.
func (p *Plan) Params() int { return p.Query.Params }

// analysed is a checked and rewritten query.
type analysed struct {
	*guard.Query
	set     Settings
	tables  []TableRef // Positions are in Text.
	whole   template   // The query.
	pivoted *pivoted   // PIVOTs that find their columns among the rows, nil for none.
	narrow  *narrowing // Which rows of its table it needs, nil when the text does not tell.

	mu       sync.Mutex // guards what follows
	composed map[string]*composedSQL
	top      topQuery
}

// topQuery is the same query when every row that it can give comes from the
// first rows of each branch. It is written when it is needed.
type topQuery struct {
	outerTree, branchTree string // Encoded; "" when there is nothing to push down, or it is written.
	outer, branch         template
}

// template is a text with places for relations: texts[0] sources[0] texts[1] ...
type template struct {
	texts   []string
	sources []int
}

// templateOf returns the checked text of an encoded tree.
func templateOf(ctx context.Context, p *guard.Parser, doc string, withs int) (template, error) {
	text, err := p.Written(ctx, doc, withs)
	if err != nil {
		return template{}, err
	}
	return splitTemplate(text, guard.SourceMark(p.Prefix)), nil
}

// splitTemplate cuts text at the names of sources, which begin with mark and end
// with '_'.
func splitTemplate(text, mark string) template {
	var t template
	for {
		i := strings.Index(text, mark)
		if i < 0 {
			t.texts = append(t.texts, text)
			return t
		}
		t.texts = append(t.texts, text[:i])
		text = text[i+len(mark):]
		n := 0
		for len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
			n = n*10 + int(text[0]-'0')
			text = text[1:]
		}
		text = strings.TrimPrefix(text, "_")
		t.sources = append(t.sources, n)
	}
}

// fill returns the text with the relation of each source in its place.
func (t *template) fill(relation func(i int) string) string {
	var b strings.Builder
	b.WriteString(t.texts[0])
	for k, i := range t.sources {
		b.WriteString(relation(i))
		b.WriteString(t.texts[k+1])
	}
	return b.String()
}

// planCache keeps analysed queries, by their exact text and by their normal form.
type planCache struct {
	exact  *lru.Cache[string, *Plan]
	normal *lru.Cache[string, *analysed]
	count  counters
}

func newPlanCache(size int) (*planCache, error) {
	exact, err := lru.New[string, *Plan](size)
	if err != nil {
		return nil, err
	}
	normal, err := lru.New[string, *analysed](size)
	return &planCache{exact: exact, normal: normal}, err
}

// maxCachedSQL is the length of the longest text that the plan cache keeps.
const maxCachedSQL = 16 << 10

// counters are the numbers behind Stats.
type counters struct {
	hits, misses, statements atomic.Int64
}

// composedSQL is the text of a query over physical sources: which of them have files,
// batches and delete vectors, and what columns. It holds nothing of the rows, so
// that users share it.
type composedSQL struct {
	id    uint64 // Distinguishes composed texts for the whole life of the process.
	sql   string
	set   Settings
	slots []slot // What the placeholders stand for, $1 first.
}

// slot is what one placeholder of a composed text stands for: one of its fields.
type slot struct {
	param int            // A parameter of the user's.
	typ   kalam.DataType // That of what the parameter meets; KindNull when nothing says it.
	try   bool           // What is not of that type is NULL.
	arg   *guard.ArgKind
	files *fileArg
}

// fileArg is a placeholder for the paths of one group of a source's files; the group after
// the last stands for the value of the source's bound.
type fileArg struct{ source, group int }

// maxComposed bounds the composed texts of one query.
const maxComposed = 16

// lastComposed numbers the composed texts.
type lastComposed struct{ atomic.Uint64 }

// pivoted is a query with PIVOTs that find their columns among the rows. Nothing of
// those rows is kept: values are found anew for each run, in the snapshot that it reads,
// and the text with them serves that run alone.
type pivoted struct {
	tree  string // The checked and rewritten query, with a mark for each list.
	ctes  int    // Its WITH names.
	lists []pivotValues
	found int // Lists noted so far.
}

// pivotValues is a query for the values of one list.
type pivotValues struct {
	tree string // Encoded; it has the marks of the lists before it.
	ctes int
	pos  int // Of the element in the user's text, -1 when it is unknown.
}

// narrowing is what the text of a query over one table says of the rows that it needs, so
// that files, and row groups of files, need not be read.
type narrowing struct {
	tests []columnTest // Every row that it needs passes them.
	all   bool         // And every row that passes them is one.
	first *firstRows   // nil: it needs not only the first rows by some order.
	count string       // The name of its one result, the number of rows; "" when it asks something else.
}

// firstRows says that a query gives the first rows of its table by a column.
type firstRows struct {
	column        string // In lower case.
	descending    bool
	nullsLast     bool // Otherwise they may come first.
	limit, offset rowNumber
}

// rowNumber is an integer of the text or a parameter.
type rowNumber struct {
	value int64
	param int // 0: value is it.
}

// columnTest is a condition that compares a column of the table with values.
type columnTest struct {
	column string // In lower case.
	op     testOp
	values []testValue
}

// testOp is the comparison of a columnTest. All but isAny have one value.
type testOp uint8

const (
	isAny testOp = iota // Equal to one of the values.
	isLess
	isLessOrEqual
	isGreater
	isGreaterOrEqual
)

// testValue is a literal or placeholder of the text.
type testValue struct {
	operand int            // Of the query; -1: value is it.
	value   kalam.Value    // A literal with its type.
	typ     kalam.DataType // What the operand is cast to; KindNull: it is not.
}

// Reads is what a query has read of the files of its tables, as far as that was decided
// before DuckDB ran.
type Reads struct {
	Files   int // Of its tables.
	Pruned  int // Of these, those that were not opened.
	Groups  int // Row groups of the files that were looked into.
	Skipped int // Of these, those that hold nothing that the query needs.
	Runs    int // Of the statement; 0 when the number of rows was known without it.
}
