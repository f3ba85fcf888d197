package query

import (
	"context"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/query/tree"
	"github.com/kalamlake/kalam/sqltext"
)

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
}

// Plan is an analysed query. It holds nothing of who runs it, is immutable and
// safe for concurrent use.
type Plan struct {
	*analysed
	refs []TableRef
	hit  bool
	once bool    // It holds values of one run, after which nothing of it stays.
	at   *places // Of the analysed text in the given one; nil when they are equal.
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

// Analyse parses, checks and rewrites a query, or finds it in the plan cache. The plan
// is the same for every user; user is on whose account it is computed.
// The error has CodeInvalidSQL, CodeUnsupported, CodeTooLarge or CodeEmptySQL,
// with the position when it is known.
func (e *Planner) Analyse(ctx context.Context, user kalam.UserID, sql string) (*Plan, error) {
	return e.AnalyseWith(ctx, user, sql, Settings{})
}

// AnalyseWith is Analyse under settings.
func (e *Planner) AnalyseWith(ctx context.Context, user kalam.UserID, sql string, set Settings) (*Plan, error) {
	kind := set.key()
	exact := kind + sql
	if p, ok := e.plans.exact.Get(exact); ok {
		e.plans.count.hits.Add(1)
		return p, nil
	}
	key := kind + sqltext.Normalize(sql)
	if a, ok := e.plans.normal.Get(key); ok {
		e.plans.count.hits.Add(1)
		p := planOf(a, sql)
		p.hit = true
		e.plans.exact.Add(exact, p)
		return p, nil
	}
	e.plans.count.misses.Add(1)
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	a, err := analyse(ctx, e.parserOf(user), sql, set)
	if err != nil {
		return nil, err
	}
	first := planOf(a, sql)
	if len(sql) <= maxCachedSQL {
		e.plans.normal.Add(key, a)
		again := *first
		again.hit = true
		e.plans.exact.Add(exact, &again)
	}
	return first, nil
}

// planOf returns the plan for a text that differs from the analysed one in white
// space and comments at most.
func planOf(a *analysed, sql string) *Plan {
	p := &Plan{analysed: a, refs: a.tables}
	if sql != a.Text {
		p.at = newPlaces(a.Text, sql)
		p.refs = append([]TableRef(nil), a.tables...)
		for i := range p.refs {
			p.refs[i].Position = p.at.of(p.refs[i].Position)
		}
	}
	return p
}

// analyse checks and rewrites a query.
func analyse(ctx context.Context, p *guard.Parser, sql string, set Settings) (*analysed, error) {
	root, err := p.Parse(ctx, sql)
	if err != nil {
		return nil, err
	}
	set.orderNulls(root)
	q, err := p.Check(ctx, sql, root, set.Inner, set.Zone)
	if err != nil {
		return nil, err
	}
	a := &analysed{Query: q, set: set, composed: map[string]*composedSQL{}}
	for _, t := range q.Tables {
		a.tables = append(a.tables, TableRef{
			Parts: t.Parts, Position: t.Position, Namespace: t.Namespace, NamesDeleted: t.NamesDeleted,
		})
	}
	doc, err := tree.Encode(root)
	if err != nil {
		return nil, err
	}
	if a.pivoted, err = pivotedOf(q, root, doc); err != nil {
		return nil, err
	}
	if a.whole, err = templateOf(ctx, p, doc, q.Withs); err != nil {
		return nil, err
	}
	a.narrow = narrowingOf(q, root)
	if outer, branch := splitTop(q, root); outer != nil {
		if a.top.outerTree, err = tree.Encode(outer); err != nil {
			return nil, err
		}
		if a.top.branchTree, err = tree.Encode(branch); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// writeTop writes the query that pushes a LIMIT down, if the sources call for one
// and it is not written yet. The error is that of the context.
func (e *Planner) writeTop(ctx context.Context, user kalam.UserID, a *analysed, sources []Source) error {
	if len(sources) != 1 || len(sources[0].Files) == 0 || len(sources[0].Batches) == 0 {
		return nil
	}
	a.mu.Lock()
	top := a.top
	a.mu.Unlock()
	if top.outerTree == "" {
		return nil
	}
	p := e.parserOf(user)
	var err error
	if top.outer, err = templateOf(ctx, p, top.outerTree, 0); err == nil {
		top.branch, err = templateOf(ctx, p, top.branchTree, 0)
	}
	if ctx.Err() != nil {
		return Canceled(ctx)
	}
	if err != nil { // The whole query serves as well.
		e.log.Warn("query not pushed down", "error", err)
		top.outer, top.branch = template{}, template{}
	}
	top.outerTree, top.branchTree = "", ""
	a.mu.Lock()
	defer a.mu.Unlock()
	a.top = top
	return nil
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
