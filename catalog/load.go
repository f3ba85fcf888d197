package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// load reads every record but those of finished jobs into a version. Its
// nextTable is 0 when the keyspace is empty.
func (r reader) load(ctx context.Context) (*version, error) {
	v := &version{epoch: 1, rights: new(rights.Set)}
	var meta metaRecord
	if err := r.loadOne(ctx, keyMeta, &meta); err != nil {
		return nil, err
	}
	v.nextTable, v.audit = meta.NextTable, meta.Audit
	loaders := []struct {
		prefix string
		load   func(key string, raw []byte) error
	}{
		{prefixNamespace, v.loadNamespace}, {prefixTable, v.loadTable}, {prefixDropped, v.loadDropped},
		{prefixView, v.loadView}, {rights.GrantPrefix, v.loadGrant}, {rights.PolicyPrefix, v.loadPolicy},
		{prefixUser, v.loadUserRecord}, {prefixAPIKey, v.loadKey},
		{prefixStorage, v.loadStorage}, {prefixSecret, v.loadSecret}, {prefixActiveJob, v.loadJob},
	}
	for _, l := range loaders {
		if err := r.scan(ctx, l.prefix, l.load); err != nil {
			return nil, fmt.Errorf("read catalog: %w", err)
		}
	}
	if v.nextTable == 0 && v.namespaces.Len()+v.numbers.Len()+v.users.Len() > 0 {
		return nil, damaged(keyMeta, "it is missing")
	}
	return v, nil
}

// loadOne reads one record, or leaves v as it is when there is none.
func (r reader) loadOne(ctx context.Context, key string, v any) error {
	raw, ok, err := r.get(ctx, key)
	if err != nil || !ok {
		return err
	}
	return decodeRecord(key, raw, v)
}

// unusable is the error of a record whose checksum is right but whose content is not.
func unusable(key string, err error) error {
	return kalam.Wrap(kalam.CodeCorrupt, err, "catalog record %q cannot be used", key)
}

func (v *version) loadNamespace(key string, raw []byte) error {
	var r namespaceRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	ns, err := r.namespace()
	if err != nil {
		return unusable(key, err)
	}
	v.namespaces.Load(ns.ID, &namespaceEntry{namespace: ns})
	return nil
}

func (v *version) loadTable(key string, raw []byte) error {
	e, err := decodeTable(key, raw)
	if err != nil {
		return err
	}
	t := e.current
	ns, ok := v.namespaces.Get(t.ID.Namespace)
	if !ok {
		return unusable(key, fmt.Errorf("its namespace %q does not exist", t.ID.Namespace))
	}
	if _, ok := ns.tables.Get(t.ID.Name); ok {
		return unusable(key, fmt.Errorf("another table is named %s", t.ID))
	}
	if t.Number >= v.nextTable {
		return unusable(key, fmt.Errorf("its number is not below %d, the next to be given", v.nextTable))
	}
	ns.tables.Load(t.ID.Name, e) // The entry is not yet shared.
	v.countMoved(e, 1)
	v.numbers.Load(t.Number, e)
	return nil
}

func (v *version) loadDropped(key string, raw []byte) error {
	e, err := decodeTable(key, raw)
	if err != nil {
		return err
	}
	v.dropped.Load(e.current.Number, e)
	return nil
}

func decodeTable(key string, raw []byte) (*tableEntry, error) {
	var r tableRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return nil, err
	}
	e, err := r.entry()
	if err != nil {
		return nil, unusable(key, err)
	}
	return e, nil
}

func (v *version) loadUserRecord(key string, raw []byte) error {
	var r userRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	u, err := r.user()
	if err != nil {
		return unusable(key, err)
	}
	v.loadUser(u)
	return nil
}

func (v *version) loadStorage(key string, raw []byte) error {
	var s Storage
	if err := decodeRecord(key, raw, &s); err != nil {
		return err
	}
	v.storages.Load(s.ID, &s)
	return nil
}

func (v *version) loadSecret(key string, raw []byte) error {
	var r secretRecord
	if err := decodeRecord(key, raw, &r); err != nil {
		return err
	}
	v.secrets.Load(strings.TrimPrefix(key, prefixSecret), NewSecret(r.Text))
	return nil
}

func (v *version) loadJob(key string, raw []byte) error {
	var j kalam.Job
	if err := decodeRecord(key, raw, &j); err != nil {
		return err
	}
	v.active.Load(j.ID, &j)
	return nil
}
