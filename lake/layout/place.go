package layout

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// Place is whose rows lie in a folder, by the templates of its storage.
type Place struct {
	Kind  kalam.TableKind
	Table kalam.TableID
	User  kalam.UserID // "" for a SHARED table.
}

// PlaceOf returns whose folder it is; false when the templates give it to nobody.
func (p Templates) PlaceOf(folder string) (Place, bool) {
	for _, k := range []struct {
		kind     kalam.TableKind
		template template
	}{{kalam.KindUserTable, p.users}, {kalam.KindSharedTable, p.shared}} {
		for _, form := range k.template.forms() {
			var place Place
			if form.match(folder, func(v *values) (ok bool) {
				place, ok = v.place(k.kind)
				return ok
			}) {
				return place, true
			}
		}
	}
	return Place{}, false
}

// match calls accept with values with which t renders folder, none of them empty, until
// it returns true. There may be several: the first byte of an element may be encoded because
// a value is a device name, or because the whole element is.
func (t template) match(folder string, accept func(*values) bool) bool {
	elements := strings.Split(folder, "/")
	if len(elements) != len(t) {
		return false
	}
	var walk func(i int, v values) bool
	walk = func(i int, v values) bool {
		if i == len(t) {
			return t.render(&v) == folder && accept(&v)
		}
		plain := v
		if t[i].match(elements[i], &plain) && walk(i+1, plain) {
			return true
		}
		whole := unescapeFirst(elements[i])
		return whole != elements[i] && t[i].match(whole, &v) && walk(i+1, v)
	}
	return walk(0, values{})
}

// match sets the variables of e by the text that it rendered. No value holds what
// separates two variables.
func (e element) match(text string, v *values) bool {
	for i, p := range e {
		if p.name == noVariable {
			rest, ok := strings.CutPrefix(text, p.literal)
			if !ok {
				return false
			}
			text = rest
			continue
		}
		end := len(text)
		if i+1 < len(e) {
			end = strings.Index(text, e[i+1].literal)
			if i+2 == len(e) {
				end = strings.LastIndex(text, e[i+1].literal)
			}
		}
		if end < 1 {
			return false
		}
		v[p.name], text = text[:end], text[end:]
	}
	return text == ""
}

// unescapeFirst undoes writeEscaped of the first byte, where there is one.
func unescapeFirst(s string) string {
	if len(s) < 3 || s[0] != '_' {
		return s
	}
	high, low := strings.IndexByte(hexDigits, s[1]), strings.IndexByte(hexDigits, s[2])
	if high < 0 || low < 0 {
		return s
	}
	return string([]byte{byte(high<<4 | low)}) + s[3:]
}

// place returns what the values of a folder say.
func (v *values) place(kind kalam.TableKind) (Place, bool) {
	name := func(encoded string) string {
		if s := unescapeFirst(encoded); encodeIdentifier(s) == encoded {
			return s
		}
		return encoded
	}
	p := Place{Kind: kind, Table: kalam.TableID{
		Namespace: kalam.NamespaceID(name(v[varNamespace])), Name: kalam.TableName(name(v[varTableName])),
	}}
	if kalam.CheckIdentifier("namespace", string(p.Table.Namespace)) != nil || kalam.CheckIdentifier("table",
		string(p.Table.Name)) != nil {
		return p, false
	}
	if kind == kalam.KindUserTable {
		user, err := DecodeUserID(v[varUserID])
		if err != nil {
			return p, false
		}
		p.User = user
	}
	return p, true
}
