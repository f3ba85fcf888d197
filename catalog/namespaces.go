package catalog

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// OptionUserTables is the option of a namespace by which role user may create USER and
// STREAM tables in it: a BOOLEAN.
const OptionUserTables = "user_tables"

// AllowsUserTables reports whether role user may create tables in the namespace.
func (ns *Namespace) AllowsUserTables() bool {
	v, ok := ns.Options[OptionUserTables]
	return ok && v.Kind() == kalam.KindBoolean && v.Bool()
}

type namespaceRecord struct {
	ID        kalam.NamespaceID      `json:"id"`
	Options   map[string]valueRecord `json:"options,omitempty"`
	CreatedAt time.Time              `json:"created_at"`
	UpdatedAt time.Time              `json:"updated_at"`
}

// reservedNamespaces cannot be created or dropped.
var reservedNamespaces = map[kalam.NamespaceID]bool{
	"system": true, "sys": true, "root": true, "kalamdb": true, "kalam": true, "main": true,
	"default": true, "sql": true, "admin": true,
	"internal": true, "information_schema": true, "pg_catalog": true, "datafusion": true, "duckdb": true,
	"temp": true, "memory": true,
}

// IsReservedNamespace reports whether CREATE NAMESPACE refuses the name. default
// is reserved and exists.
func IsReservedNamespace(id kalam.NamespaceID) bool { return reservedNamespaces[id] }

// Namespaces returns every namespace, by name.
func (c *Catalog) Namespaces() []Namespace {
	v := c.current.Load()
	list := make([]Namespace, 0, v.namespaces.Len())
	for _, e := range v.namespaces.All() {
		list = append(list, e.namespace)
	}
	slices.SortFunc(list, func(a, b Namespace) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list
}

// Namespace returns the namespace named id.
func (c *Catalog) Namespace(id kalam.NamespaceID) (Namespace, bool) {
	e, ok := c.current.Load().namespaces.Get(id)
	if !ok {
		return Namespace{}, false
	}
	return e.namespace, true
}

// TableCount returns the number of tables in a namespace, 0 when it does not exist.
func (c *Catalog) TableCount(id kalam.NamespaceID) int {
	e, ok := c.current.Load().namespaces.Get(id)
	if !ok {
		return 0
	}
	return e.tables.Len()
}

// CreateNamespace creates a namespace and reports whether it did: with
// ifNotExists an existing one is no error. Errors: CodeAlreadyExists,
// CodeInvalidOperation for a reserved name, CodeInvalidSQL for a malformed one.
func (c *Catalog) CreateNamespace(ctx context.Context, id kalam.NamespaceID, options map[string]kalam.Value,
	ifNotExists bool) (created bool, err error) {
	err = c.write(ctx, func(tx *tx) error {
		if _, ok := tx.next.namespaces.Get(id); ok {
			if ifNotExists {
				return nil
			}
			return kalam.Errorf(kalam.CodeAlreadyExists, "Namespace '%s' already exists", id)
		}
		if IsReservedNamespace(id) {
			return kalam.Errorf(kalam.CodeInvalidOperation, "Namespace name '%s' is reserved", id)
		}
		if err := kalam.CheckIdentifier("namespace", string(id)); err != nil {
			return err
		}
		merged, err := mergeOptions(nil, options)
		if err != nil {
			return err
		}
		created = true
		tx.next.epoch++
		return tx.putNamespace(Namespace{ID: id, Options: merged, CreatedAt: tx.now, UpdatedAt: tx.now})
	})
	return created && err == nil, err
}

// AlterNamespace sets the given options and keeps the others; a NULL value
// removes its option. CodeNotFound when the namespace does not exist.
func (c *Catalog) AlterNamespace(ctx context.Context, id kalam.NamespaceID, options map[string]kalam.Value) error {
	return c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.namespaces.Get(id)
		if !ok {
			return namespaceNotFound(id)
		}
		merged, err := mergeOptions(e.namespace.Options, options)
		if err != nil {
			return err
		}
		ns := e.namespace
		ns.Options, ns.UpdatedAt = merged, tx.now
		tx.next.epoch++
		return tx.putNamespace(ns)
	})
}

// DropNamespace drops a namespace. With tables in it, it fails unless cascade is
// true; then they are dropped in the same write and returned, each as by
// DropTable. default cannot be dropped.
func (c *Catalog) DropNamespace(ctx context.Context, id kalam.NamespaceID,
	cascade bool) (dropped []*kalam.Table, err error) {
	err = c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.namespaces.Get(id)
		if !ok {
			return namespaceNotFound(id)
		}
		if IsReservedNamespace(id) {
			return kalam.Errorf(kalam.CodeInvalidOperation, "Namespace '%s' cannot be dropped", id)
		}
		if n := tx.next.viewsIn(id); n > 0 && !cascade {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"Cannot drop namespace '%s': it contains %d view(s) and %d table(s). Use DROP NAMESPACE %s CASCADE", id, n,
				e.tables.Len(), id)
		}
		if n := e.tables.Len(); n > 0 && !cascade {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"Cannot drop namespace '%s': it contains %d table(s). Use DROP NAMESPACE %s CASCADE", id, n, id)
		}
		if err := tx.dropNamespaceViews(id); err != nil {
			return err
		}
		for _, t := range sortedTables(e.tables) {
			if err := tx.dropTable(t); err != nil {
				return err
			}
			dropped = append(dropped, t.current)
		}
		tx.delete(namespaceKey(id))
		tx.next.namespaces = tx.next.namespaces.Without(id)
		tx.next.epoch++
		return tx.dropRights(rights.Object{Namespace: id})
	})
	if err != nil {
		return nil, err
	}
	return dropped, nil
}

func namespaceNotFound(id kalam.NamespaceID) error {
	return kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", id).Lacks(kalam.MissingNamespace, string(id))
}

// putNamespace adds or replaces a namespace and keeps its tables.
func (tx *tx) putNamespace(ns Namespace) error {
	r := namespaceRecord{ID: ns.ID, CreatedAt: ns.CreatedAt, UpdatedAt: ns.UpdatedAt}
	if len(ns.Options) > 0 {
		r.Options = make(map[string]valueRecord, len(ns.Options))
		for k, v := range ns.Options {
			r.Options[k] = recordOfValue(v)
		}
	}
	e := &namespaceEntry{namespace: ns}
	if old, ok := tx.next.namespaces.Get(ns.ID); ok {
		e.tables = old.tables
	}
	tx.next.namespaces = tx.next.namespaces.With(ns.ID, e)
	return tx.put(namespaceKey(ns.ID), r)
}

func (r *namespaceRecord) namespace() (Namespace, error) {
	ns := Namespace{ID: r.ID, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt}
	if len(r.Options) > 0 {
		ns.Options = make(map[string]kalam.Value, len(r.Options))
	}
	for k, vr := range r.Options {
		v, err := vr.value()
		if err != nil {
			return Namespace{}, err
		}
		ns.Options[k] = v
	}
	return ns, nil
}

// mergeOptions returns a new map of old overlaid by change.
func mergeOptions(old, change map[string]kalam.Value) (map[string]kalam.Value, error) {
	merged := make(map[string]kalam.Value, len(old)+len(change))
	for k, v := range old {
		merged[k] = v
	}
	for k, v := range change {
		if k == "" || len(k) > kalam.MaxIdentifier {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "namespace option name is empty or longer than %d bytes",
				kalam.MaxIdentifier)
		}
		if k == OptionUserTables && !v.IsNull() && v.Kind() != kalam.KindBoolean {
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "namespace option '%s' must be true or false", k)
		}
		switch {
		case v.IsNull():
			delete(merged, k)
		case isLiteral(v):
			merged[k] = v
		default:
			return nil, kalam.Errorf(kalam.CodeInvalidSQL, "namespace option '%s' must be a string, boolean or number",
				k)
		}
	}
	if len(merged) == 0 {
		return nil, nil
	}
	return merged, nil
}

// isLiteral reports whether v is of a kind that literals have.
func isLiteral(v kalam.Value) bool {
	switch v.Kind() {
	case kalam.KindBoolean, kalam.KindBigInt, kalam.KindDouble, kalam.KindText:
		return true
	default:
		return false
	}
}
