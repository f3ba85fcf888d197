package layout

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// The templates of a storage that names none: the layout of decision D-01.
const (
	DefaultUserTemplate   = "users/{userId}/{namespace}/{tableName}/{shard}"
	DefaultSharedTemplate = "shared/{namespace}/{tableName}"
)

// variable is one of the names between braces in a template.
type variable uint8

// The variables; noVariable marks a literal. A new one is added here, in
// variableNames and where values are made (Templates.Folder).
const (
	noVariable variable = iota
	varStorageLocation
	varNamespace
	varUserID
	varTableName
	varShard
	varTimestamp
	varSeq
	variableCount
)

// variableNames maps every spelling, without '_' and '-' and in lower case, to
// its variable. `table_name`, `table-id` and `tableName` are one.
var variableNames = map[string]variable{
	"storagelocation": varStorageLocation,
	"namespace":       varNamespace, "namespaceid": varNamespace,
	"userid":    varUserID,
	"tablename": varTableName, "tableid": varTableName,
	"shard": varShard, "shardid": varShard,
	"timestamp": varTimestamp,
	"seq":       varSeq,
}

// values holds the text of each variable for one rendering.
type values [variableCount]string

// part is a literal or a variable of a template element.
type part struct {
	literal string
	name    variable
}

// element is what stands between two slashes.
type element []part

// template is a parsed path template. Its zero value renders "".
type template []element

// templateKind says which variables a template may and must use.
type templateKind struct {
	word     string
	allowed  []variable
	required []variable
	ordered  []variable // those present stand in this order
}

var (
	userTemplate = templateKind{
		word:     "user",
		allowed:  []variable{varStorageLocation, varUserID, varNamespace, varTableName, varShard},
		required: []variable{varUserID, varNamespace, varTableName},
		ordered:  []variable{varNamespace, varTableName, varShard},
	}
	sharedTemplate = templateKind{
		word:     "shared",
		allowed:  []variable{varStorageLocation, varNamespace, varTableName, varShard},
		required: []variable{varNamespace, varTableName},
		ordered:  []variable{varNamespace, varTableName, varShard},
	}
)

// displayNames are the spellings used in messages.
var displayNames = [variableCount]string{
	varStorageLocation: "{storageLocation}", varNamespace: "{namespace}", varUserID: "{userId}",
	varTableName: "{tableName}", varShard: "{shard}", varTimestamp: "{timestamp}", varSeq: "{seq}",
}

// CheckTemplates reports why a storage cannot have these path templates, as
// CREATE STORAGE and ALTER STORAGE must; "" stands for the default. Beside the
// rules of each template, the two must never give one folder to a user table
// and a shared table. The error has CodeInvalidInput.
func CheckTemplates(user, shared string) error {
	_, err := ParseTemplates(user, shared)
	return err
}

// Templates are the two path templates of a storage, parsed. Its zero value has no folders.
type Templates struct{ users, shared template }

// ParseTemplates reads and checks the templates of a storage; see CheckTemplates.
func ParseTemplates(user, shared string) (Templates, error) {
	if user == "" {
		user = DefaultUserTemplate
	}
	if shared == "" {
		shared = DefaultSharedTemplate
	}
	u, err := parseTemplate(userTemplate, user)
	if err != nil {
		return Templates{}, err
	}
	s, err := parseTemplate(sharedTemplate, shared)
	if err != nil {
		return Templates{}, err
	}
	if mayCollide(u, s) {
		return Templates{}, kalam.Errorf(kalam.CodeInvalidInput,
			"templates '%s' and '%s' can give a user table and a shared table the same folder; begin them with "+
				"different words",
			user, shared)
	}
	return Templates{users: u, shared: s}, nil
}

// parseTemplate reads text in one pass and checks it by the rules of kind.
func parseTemplate(kind templateKind, text string) (template, error) {
	if len(text) > 512 {
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "%s template is %d bytes long (maximum 512)", kind.word,
			len(text))
	}
	var t template
	for _, s := range strings.Split(text, "/") {
		if s == "" || s == "." {
			continue
		}
		e, err := parseElement(kind, s)
		if err != nil {
			return nil, err
		}
		t = append(t, e)
	}
	return t, t.check(kind, text)
}

func parseElement(kind templateKind, s string) (element, error) {
	var e element
	for rest := s; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open != 0 {
			literal := rest
			if open > 0 {
				literal = rest[:open]
			}
			if err := checkLiteral(kind, literal); err != nil {
				return nil, err
			}
			e = append(e, part{literal: literal})
			rest = rest[len(literal):]
			continue
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return nil, kalam.Errorf(kalam.CodeInvalidInput, "%s template has '{' without '}' in '%s'", kind.word, s)
		}
		v, err := lookupVariable(kind, rest[1:end])
		if err != nil {
			return nil, err
		}
		if e.variables() > 0 && !strings.ContainsAny(e[len(e)-1].literal, separators) {
			return nil, kalam.Errorf(kalam.CodeInvalidInput, "%s template needs '/' or one of '.=@+' before %s",
				kind.word,
				displayNames[v])
		}
		e = append(e, part{name: v})
		rest = rest[end+1:]
	}
	return e, checkElement(kind, e, s)
}

// separators are bytes that occur in no identifier, encoded user id or shard; a
// literal between two variables holds one, so that no two scopes render alike.
const separators = ".=@+"

func lookupVariable(kind templateKind, name string) (variable, error) {
	v := variableNames[strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))]
	for _, a := range kind.allowed {
		if v == a {
			return v, nil
		}
	}
	return noVariable, kalam.Errorf(kalam.CodeInvalidInput, "Unknown template variable '{%s}'", name)
}

func checkLiteral(kind templateKind, s string) error {
	for i := 0; i < len(s); i++ {
		if !isTemplateLiteral(s[i]) {
			return kalam.Errorf(kalam.CodeInvalidInput, "%s template has the character %q, which cannot be in a path",
				kind.word,
				s[i])
		}
	}
	return nil
}

func isTemplateLiteral(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._=@+-", c) >= 0
}

// checkElement refuses an element that some system would read as another one.
func checkElement(kind templateKind, e element, s string) error {
	last := e[len(e)-1]
	switch {
	case strings.HasSuffix(last.literal, "."):
		return kalam.Errorf(kalam.CodeInvalidInput, "%s template has the path element '%s', which ends in '.'",
			kind.word, s)
	case len(e) > 1 && (e.has(varShard) || e.has(varStorageLocation)) && e.variables() > 1:
		return kalam.Errorf(kalam.CodeInvalidInput,
			"%s template has '%s', where {shard} and {storageLocation} must stand alone", kind.word, s)
	case (len(e) == 1 || strings.Contains(e[0].literal, ".")) && opensDevice(e[0].literal):
		return kalam.Errorf(kalam.CodeInvalidInput,
			"%s template has the path element '%s', which is reserved on Windows",
			kind.word, s)
	case e.maxLength() > maxElement:
		return kalam.Errorf(kalam.CodeInvalidInput,
			"%s template has the path element '%s', which can be %d bytes long (maximum %d)",
			kind.word, s, e.maxLength(), maxElement)
	}
	return nil
}

// maxElement is the longest name of a folder that every file system takes.
const maxElement = 255

// maxLength returns how many bytes e can have once rendered.
func (e element) maxLength() int {
	n := 0
	for _, p := range e {
		switch p.name {
		case noVariable:
			n += len(p.literal)
		case varUserID:
			n += 3 * kalam.MaxUserID
		default:
			n += kalam.MaxIdentifier
		}
	}
	return n
}

// check applies the rules about which variables stand where.
func (t template) check(kind templateKind, text string) error {
	var at [variableCount]int // position from 1, 0 when absent
	n := 0
	for i, e := range t {
		for _, p := range e {
			n++
			if p.name == noVariable {
				continue
			}
			if at[p.name] != 0 {
				return kalam.Errorf(kalam.CodeInvalidInput, "%s template '%s' has %s twice", kind.word, text,
					displayNames[p.name])
			}
			at[p.name] = n
			if p.name == varStorageLocation && (i != 0 || len(e) != 1) {
				return kalam.Errorf(kalam.CodeInvalidInput, "%s template '%s' must begin with {storageLocation}",
					kind.word, text)
			}
		}
	}
	for _, v := range kind.required {
		if at[v] == 0 {
			return kalam.Errorf(kalam.CodeInvalidInput, "%s template '%s' lacks %s", kind.word, text, displayNames[v])
		}
	}
	last := noVariable
	for _, v := range kind.ordered {
		if at[v] == 0 {
			continue
		}
		if last != noVariable && at[v] < at[last] {
			return kalam.Errorf(kalam.CodeInvalidInput, "%s template '%s' must have %s before %s", kind.word, text,
				displayNames[last], displayNames[v])
		}
		last = v
	}
	return nil
}

// render returns the path of t with v filled in. An element with an empty
// variable is left out: that is how {storageLocation}, which is the root
// itself, and {shard} of an unsharded table vanish.
func (t template) render(v *values) string {
	var b strings.Builder
	for _, e := range t {
		if e.hasEmpty(v) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		e.render(&b, v)
	}
	return b.String()
}

// render appends e with v filled in. Literals and variables that make a device
// name of Windows together get their first byte encoded, as a user id does; no
// other values give the same.
func (e element) render(b *strings.Builder, v *values) {
	var text strings.Builder
	for _, p := range e {
		if p.name == noVariable {
			text.WriteString(p.literal)
		} else {
			text.WriteString(v[p.name])
		}
	}
	s := text.String()
	if opensDevice(s) {
		writeEscaped(b, s[0])
		s = s[1:]
	}
	b.WriteString(s)
}

func (e element) hasEmpty(v *values) bool {
	for _, p := range e {
		if p.name != noVariable && v[p.name] == "" {
			return true
		}
	}
	return false
}

// mayCollide reports whether u and s can render the same folder for two
// different tables. It errs on the side of true.
func mayCollide(u, s template) bool {
	for _, a := range u.forms() {
		for _, b := range s.forms() {
			if len(a) == len(b) && !differ(a, b) {
				return true
			}
		}
	}
	return false
}

// forms returns t as it renders without and with a shard.
func (t template) forms() []template {
	var without template
	for _, e := range t {
		if !e.has(varStorageLocation) && !e.has(varShard) {
			without = append(without, e)
		}
	}
	var with template
	for _, e := range t {
		if !e.has(varStorageLocation) {
			with = append(with, e)
		}
	}
	return []template{without, with}
}

func (e element) variables() int {
	n := 0
	for _, p := range e {
		if p.name != noVariable {
			n++
		}
	}
	return n
}

func (e element) has(v variable) bool {
	for _, p := range e {
		if p.name == v {
			return true
		}
	}
	return false
}

// differ reports whether two templates of equal length can never render one
// folder for a user table and a shared table: they have different literals in
// one place, or take namespace and table from the same places (a name belongs
// to one table, which has one kind).
func differ(a, b template) bool {
	same := 0
	for i := range a {
		x, y := a[i], b[i]
		if len(x) == 1 && len(y) == 1 {
			if x[0].name == noVariable && y[0].name == noVariable && !strings.EqualFold(x[0].literal, y[0].literal) {
				return true
			}
			if x[0].name == y[0].name && (x[0].name == varNamespace || x[0].name == varTableName) {
				same++
			}
		}
	}
	return same == 2
}
