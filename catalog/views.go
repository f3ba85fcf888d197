package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// View is a stored query. It is immutable once published.
type View struct {
	ID      kalam.TableID
	Query   string       // The text, in which every name of a table has its namespace.
	Columns []ViewColumn // What it gives, in order. Columns that the query gets later are not among them.
	Reads   []kalam.TableID
	Words   []string // The words of Query and the names of what it gives, sorted: a column that is none of them is not used.
	Star    bool     // Query has a *, so that what it gives depends on the columns of its tables.
	Creator kalam.UserID
	// Text is the query as it was written, for listings.
	Text      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ViewColumn is one column of a view.
type ViewColumn struct {
	Name   string         `json:"name"`
	Source string         `json:"source"` // Its name in the results of the query.
	Type   kalam.DataType `json:"type"`   // When the view was created.
}

type viewRecord struct {
	Namespace kalam.NamespaceID `json:"namespace"`
	Name      kalam.TableName   `json:"name"`
	Query     string            `json:"query"`
	Text      string            `json:"text"`
	Columns   []ViewColumn      `json:"columns"`
	Reads     []string          `json:"reads"` // "ns.name"
	Words     []string          `json:"words"`
	Star      bool              `json:"star,omitempty"`
	Creator   kalam.UserID      `json:"creator"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
}

func viewKey(id kalam.TableID) string { return prefixView + id.String() }

// View returns the view named id.
func (c *Catalog) View(id kalam.TableID) (*View, bool) { return c.current.Load().views.Get(id) }

// HasViews reports whether there is any view.
func (c *Catalog) HasViews() bool { return c.current.Load().views.Len() > 0 }

// Views returns the views of a namespace, or all for "", by namespace and name.
func (c *Catalog) Views(ns kalam.NamespaceID) []*View {
	var list []*View
	for id, v := range c.current.Load().views.All() {
		if ns == "" || id.Namespace == ns {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *View) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return list
}

// PutView creates a view, or with replace changes the one of its name, if may allows that; the times and, of one that
// is changed, the creator are set here. Errors: CodeAlreadyExists for the name of a table, or of a view without
// replace; CodeNotFound for the namespace; CodeInvalidSQL for a malformed name; CodeInvalidOperation when another view
// uses a column that it would not have any more; those of may.
func (c *Catalog) PutView(ctx context.Context, spec View, replace bool, may func(old *View) error) error {
	v := spec
	return c.write(ctx, func(tx *tx) error {
		if _, ok := tx.next.namespaces.Get(v.ID.Namespace); !ok {
			return kalam.Errorf(kalam.CodeNotFound,
				"Namespace '%s' does not exist. Create it first with CREATE NAMESPACE.", v.ID.Namespace)
		}
		if err := kalam.CheckIdentifier("view", string(v.ID.Name)); err != nil {
			return err
		}
		if _, taken := tx.next.table(v.ID); taken {
			return kalam.Errorf(kalam.CodeAlreadyExists, "Table %s already exists", v.ID)
		}
		v.CreatedAt, v.UpdatedAt = tx.now, tx.now
		old, exists := tx.next.views.Get(v.ID)
		switch {
		case exists && !replace:
			return kalam.Errorf(kalam.CodeAlreadyExists, "View %s already exists", v.ID)
		case exists:
			if err := may(old); err != nil {
				return err
			}
			if err := tx.next.keepsColumns(v.ID, old.names(), v.names()); err != nil {
				return err
			}
			v.CreatedAt, v.Creator = old.CreatedAt, old.Creator
		}
		for _, id := range v.Reads { // Somebody may have dropped one meanwhile.
			_, isView := tx.next.views.Get(id)
			if _, isTable := tx.next.table(id); !isTable && !isView && !computedNamespaces[id.Namespace] {
				return tableNotFound(id)
			}
			if tx.next.reaches(id, v.ID, 0) {
				return kalam.Errorf(kalam.CodeInvalidOperation, "View %s would read itself", v.ID)
			}
		}
		tx.next.views = tx.next.views.With(v.ID, &v)
		tx.next.epoch++
		return tx.put(viewKey(v.ID), recordOfView(&v))
	})
}

// computedNamespaces hold tables that the catalog does not know.
var computedNamespaces = map[kalam.NamespaceID]bool{"system": true, "information_schema": true}

// DropView removes a view, if may allows it. Errors: CodeTableNotFound, CodeInvalidOperation when another view reads
// it, those of may.
func (c *Catalog) DropView(ctx context.Context, id kalam.TableID, may func(*View) error) error {
	return c.write(ctx, func(tx *tx) error {
		v, ok := tx.next.views.Get(id)
		if !ok {
			return tableNotFound(id)
		}
		if err := may(v); err != nil {
			return err
		}
		if by := tx.next.readersOf(id); len(by) > 0 {
			return readBy("drop view", id, by[0])
		}
		tx.removeView(id)
		return nil
	})
}

func (tx *tx) removeView(id kalam.TableID) {
	tx.next.views = tx.next.views.Without(id)
	tx.next.epoch++
	tx.delete(viewKey(id))
}

// readBy is the error of something that a view reads.
func readBy(what string, id kalam.TableID, by *View) error {
	return kalam.Errorf(kalam.CodeInvalidOperation, "Cannot %s '%s': view %s reads it; DROP VIEW %s first", what, id,
		by.ID,
		by.ID)
}

// dropNamespaceViews removes the views of a namespace that is dropped. It refuses while a view of another namespace
// reads something of it.
func (tx *tx) dropNamespaceViews(ns kalam.NamespaceID) error {
	for _, v := range tx.next.views.All() {
		if v.ID.Namespace == ns {
			continue
		}
		for _, id := range v.Reads {
			if id.Namespace == ns {
				return kalam.Errorf(kalam.CodeInvalidOperation,
					"Cannot drop namespace '%s': view %s reads '%s'; DROP VIEW %s first", ns, v.ID, id, v.ID)
			}
		}
	}
	for id := range tx.next.views.All() {
		if id.Namespace == ns {
			tx.removeView(id)
		}
	}
	return nil
}

// viewsIn counts the views of a namespace.
func (v *version) viewsIn(ns kalam.NamespaceID) (n int) {
	for id := range v.views.All() {
		if id.Namespace == ns {
			n++
		}
	}
	return n
}

// readersOf returns the views that name a table or view, by name.
func (v *version) readersOf(id kalam.TableID) (list []*View) {
	for _, x := range v.views.All() {
		if slices.Contains(x.Reads, id) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *View) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	return list
}

// MaxViewDepth is how many views may stand behind one another.
const MaxViewDepth = 16

// reaches reports whether the view from, if it is one, reads to, itself or by other views.
func (v *version) reaches(from, to kalam.TableID, depth int) bool {
	if from == to || depth > MaxViewDepth {
		return true
	}
	x, ok := v.views.Get(from)
	return ok && slices.ContainsFunc(x.Reads, func(id kalam.TableID) bool { return v.reaches(id, to, depth+1) })
}

// keepsColumns refuses a change of the columns of something by which a view that reads it would mean something else,
// or nothing.
func (v *version) keepsColumns(id kalam.TableID, before, after []string) error {
	for _, by := range v.readersOf(id) {
		for _, name := range before {
			if !slices.Contains(after, name) && by.uses(name) {
				return kalam.Errorf(kalam.CodeInvalidOperation,
					"Column '%s' of '%s' cannot be dropped or renamed: view %s uses it; DROP VIEW %s first", name, id, by.ID,
					by.ID)
			}
		}
		for _, name := range after {
			if !slices.Contains(before, name) && by.Star && by.uses(name) {
				return kalam.Errorf(kalam.CodeInvalidOperation,
					"'%s' cannot get a column '%s': view %s has a column of that name beside *; DROP VIEW %s first", id, name,
					by.ID, by.ID)
			}
		}
	}
	return nil
}

// uses reports whether the view may use a column of a name.
func (v *View) uses(name string) bool {
	_, found := slices.BinarySearch(v.Words, name)
	return found
}

func (v *View) names() []string {
	var list []string
	for _, c := range v.Columns {
		list = append(list, c.Name)
	}
	return list
}

func columnNames(t *kalam.Table) []string {
	var list []string
	for i := range t.Columns {
		list = append(list, t.Columns[i].Name)
	}
	return list
}

// checkViews refuses a change of a table that views would not stand.
func (v *version) checkViews(was, next *kalam.Table) error {
	if was.ID != next.ID {
		if by := v.readersOf(was.ID); len(by) > 0 {
			return readBy("rename table", was.ID, by[0])
		}
		if _, taken := v.views.Get(next.ID); taken {
			return kalam.Errorf(kalam.CodeAlreadyExists, "View %s already exists", next.ID)
		}
	}
	return v.keepsColumns(was.ID, columnNames(was), columnNames(next))
}

func recordOfView(v *View) viewRecord {
	r := viewRecord{
		Namespace: v.ID.Namespace, Name: v.ID.Name, Query: v.Query, Text: v.Text, Columns: v.Columns, Words: v.Words,
		Star: v.Star, Creator: v.Creator, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	for _, id := range v.Reads {
		r.Reads = append(r.Reads, id.String())
	}
	return r
}

func (v *version) loadView(key string, raw []byte) error {
	var r viewRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	x := &View{
		ID: kalam.TableID{Namespace: r.Namespace, Name: r.Name}, Query: r.Query, Text: r.Text, Columns: r.Columns,
		Words: r.Words, Star: r.Star, Creator: r.Creator, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	for _, name := range r.Reads {
		ns, table, _ := strings.Cut(name, ".")
		x.Reads = append(x.Reads, kalam.TableID{Namespace: kalam.NamespaceID(ns), Name: kalam.TableName(table)})
	}
	v.views.Load(x.ID, x)
	return nil
}
