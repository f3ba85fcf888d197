package query

import (
	"context"
	"fmt"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
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
func (p *Plan) Params() int { return p.params }

// analysed is a checked and rewritten query.
type analysed struct {
	sql    string
	set    Settings
	prefix string
	tables []TableRef // Positions are in sql.
	params int
	args   []argKind // What the placeholders after the user's stand for.
	// operands are what the placeholders after those stand for, meetings what they meet.
	operands []operand
	meetings []meeting
	names    []nameUse
	system   []systemUse    // Of the tables.
	rows     map[int]string // See checker.
	whole    template       // The query.
	pivoted  *pivoted       // PIVOTs that find their columns among the rows, nil for none.

	mu       sync.Mutex // guards what follows
	variants map[string]*variant
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
func (e *Engine) Analyse(ctx context.Context, user kalam.UserID, sql string) (*Plan, error) {
	return e.AnalyseWith(ctx, user, sql, Settings{})
}

// AnalyseWith is Analyse under settings.
func (e *Engine) AnalyseWith(ctx context.Context, user kalam.UserID, sql string, set Settings) (*Plan, error) {
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
	a, err := e.parserOf(user).analyse(ctx, sql, set)
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
	if sql != a.sql {
		p.at = newPlaces(a.sql, sql)
		p.refs = append([]TableRef(nil), a.tables...)
		for i := range p.refs {
			p.refs[i].Position = p.at.of(p.refs[i].Position)
		}
	}
	return p
}

// analyse checks and rewrites a query.
func (p *parser) analyse(ctx context.Context, sql string, set Settings) (*analysed, error) {
	if err := checkPlaceholders(sql); err != nil {
		return nil, err
	}
	q, err := p.parse(ctx, sql)
	if err != nil {
		return nil, err
	}
	set.orderNulls(q)
	c := newChecker(sql, p.prefix)
	c.set = set
	c.query(q)
	a := &analysed{sql: sql, set: set, prefix: p.prefix, params: c.checkParams(), variants: map[string]*variant{}}
	if c.err != nil {
		return nil, c.err
	}
	if err := p.keepNames(ctx, c); err != nil {
		return nil, err
	}
	if !set.Inner {
		c.showSystem(q)
	}
	if a.args = c.finish(q, a.params+1); c.err != nil {
		return nil, c.err
	}
	a.names, a.operands, a.meetings, a.rows = c.names, c.operands, c.meetings, c.rows
	for _, t := range c.tables {
		a.tables = append(a.tables, TableRef{
			Parts: t.parts, Position: t.pos, Namespace: t.namespace, NamesDeleted: t.withDeleted,
		})
		a.system = append(a.system, t.system)
	}
	doc, err := encodeAST(q)
	if err != nil {
		return nil, err
	}
	if a.pivoted, err = c.pivotedOf(q, doc); err != nil {
		return nil, err
	}
	if a.whole, err = p.templateOf(ctx, doc, c.ctes); err != nil {
		return nil, err
	}
	if outer, branch := splitTop(q, c); outer != nil {
		if a.top.outerTree, err = encodeAST(outer); err != nil {
			return nil, err
		}
		if a.top.branchTree, err = encodeAST(branch); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// writeTop writes the query that pushes a LIMIT down, if the sources call for one
// and it is not written yet. The error is that of the context.
func (e *Engine) writeTop(ctx context.Context, user kalam.UserID, a *analysed, sources []Source) error {
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
	if top.outer, err = p.templateOf(ctx, top.outerTree, 0); err == nil {
		top.branch, err = p.templateOf(ctx, top.branchTree, 0)
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

// checkPlaceholders refuses $0 and ?, which DuckDB's parser takes for the next
// placeholder.
func checkPlaceholders(sql string) error {
	if !strings.ContainsAny(sql, "$?") {
		return nil
	}
	for _, l := range lexemesOf(sql) {
		text := sql[l.Pos:l.End]
		if l.Kind == sqltext.LexParam && (text[0] == '?' || text == "$" || text[1] == '0') {
			return kalam.Errorf(kalam.CodeInvalidSQL, "Invalid parameter placeholder '%s'", text).At(l.Pos)
		}
	}
	return nil
}

// keepNames gives the result columns whose expression was rewritten the names
// that they would have had.
func (p *parser) keepNames(ctx context.Context, c *checker) error {
	for _, it := range c.items {
		if str(it.original, "class") == "COLUMN_REF" {
			cols := names(it.original, "column_names")
			it.item["alias"] = cols[len(cols)-1]
			continue
		}
		if len(elems(it.original, "children")) == 0 && str(it.original, "class") == "FUNCTION" && str(it.original, "schema") == "" {
			it.item["alias"] = str(it.original, "function_name") + "()"
			continue
		}
		text, err := p.unparse(ctx, selectOf(it.original))
		if err != nil {
			return err
		}
		it.item["alias"] = strings.TrimPrefix(text, "SELECT ")
	}
	return nil
}

// selectOf is SELECT x.
func selectOf(x node) node {
	return node{
		"type": "SELECT_NODE", "modifiers": []any{}, "cte_map": node{"map": []any{}}, "select_list": []any{x},
		"from_table": node{"type": "EMPTY", "alias": "", "sample": nil}, "where_clause": nil, "group_expressions": []any{},
		"group_sets": []any{}, "aggregate_handling": "STANDARD_HANDLING", "having": nil, "sample": nil, "qualify": nil,
	}
}

// templateOf writes an encoded tree as text and checks that text in turn: what
// DuckDB will read has passed the guard, whatever writing it has changed.
func (p *parser) templateOf(ctx context.Context, doc string, ctes int) (template, error) {
	text, again, err := p.rewritten(ctx, doc)
	if err != nil {
		return template{}, unprocessed(err, "query")
	}
	c := newChecker(text, p.prefix)
	c.generated = true
	c.query(again)
	if c.err != nil || c.ctes != ctes {
		return template{}, kalam.Wrap(kalam.CodeUnsupported, fmt.Errorf("%s: %w", text, c.err), "This query cannot be processed")
	}
	return splitTemplate(text, p.prefix+"src_"), nil
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

// The rest serves errors, and takes a nil receiver.

// tableName returns the name in the user's text of a relation in ours.
func (a *analysed) tableName(name string) string {
	if a == nil {
		return name
	}
	for i, t := range a.tables {
		if name == sourceName(a.prefix, i) {
			return strings.Join(t.Parts, ".")
		}
	}
	return name
}

// restoreNames replaces our names of tables in a message by the user's.
func (a *analysed) restoreNames(msg string) string {
	if a == nil || !strings.Contains(msg, a.prefix) {
		return msg
	}
	for i, t := range a.tables {
		msg = strings.ReplaceAll(msg, sourceName(a.prefix, i), strings.Join(t.Parts, "."))
		for _, column := range systemNames {
			msg = strings.ReplaceAll(msg, systemName(a.prefix, i, systemColumnOf(column)), column)
		}
	}
	return msg
}

// placeOf returns the offset in the analysed text that an error is about, -1
// when it is unknown: that of the first name that the error gives.
func (a *analysed) placeOf(de *DuckError) int {
	if a == nil || de.Name == "" {
		return -1
	}
	name := a.restoreNames(de.Name)
	for _, n := range a.names {
		if strings.EqualFold(n.name, name) {
			return n.pos
		}
	}
	return -1
}
