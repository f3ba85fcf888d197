package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// typeNames is a table of constants: the names of types and their aliases.
var typeNames = func() map[string]kalam.TypeName {
	names := make(map[string]kalam.TypeName)
	for _, n := range kalam.TypeNames() {
		names[n.Name] = n
	}
	return names
}()

// findType returns the type named word (upper case). As in KalamDB, any name
// that ends in TEXT or STRING is TEXT.
func findType(word string) (kalam.TypeName, bool) {
	if t, ok := typeNames[word]; ok {
		return t, true
	}
	if len(word) <= sqltext.MaxShown && (strings.HasSuffix(word, "TEXT") || strings.HasSuffix(word, "STRING")) {
		return kalam.TypeName{Name: word, Kind: kalam.KindText, Args: kalam.ArgsLength}, true
	}
	return kalam.TypeName{}, false
}

// ParseType returns the data type that text names, for instance "varchar(20)",
// "double precision" or "timestamp with time zone". The error is CodeInvalidSQL
// and lists the supported types.
func ParseType(text string) (kalam.DataType, error) {
	if at := sqltext.InvalidUTF8(text); at >= 0 {
		return kalam.DataType{}, syntaxError(at, sqltext.FlawUTF8)
	}
	p := &parser{lex: sqltext.NewLexer(text)}
	p.advance()
	t, _, err := p.dataType("")
	if err == nil {
		err = p.end()
	}
	return t, err
}

// unsupportedType is the error of a type that columns cannot have.
func unsupportedType(pos int, column, name string) error {
	return syntaxError(pos, "%sData type %s not supported. Supported types: %s", ofColumn(column),
		name, kindList(kalam.Kinds()))
}

// kindList returns the names of kinds for a message.
func kindList(kinds []kalam.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.String()
	}
	return strings.Join(names, ", ")
}

// ofColumn returns the prefix that names a column in a message.
func ofColumn(column string) string {
	if column == "" {
		return ""
	}
	return "Column '" + column + "': "
}

// dataType consumes a data type. serial says that it implies AUTO_INCREMENT. column is for messages, "" for none.
func (p *parser) dataType(column string) (t kalam.DataType, serial bool, err error) {
	pos := p.tok.Pos
	if p.tok.Kind != sqltext.Word {
		return t, false, p.unexpected("a data type")
	}
	name := sqltext.Upper(sqltext.Short(p.text(p.tok)))
	p.advance()
	def, ok := findType(name)
	if !ok {
		return t, false, unsupportedType(pos, column, name+p.typeSuffix())
	}
	switch name {
	case "DOUBLE":
		p.accept("PRECISION")
	case "CHARACTER", "CHAR":
		p.accept("VARYING")
	case "SIGNED":
		_ = p.accept("INTEGER") || p.accept("INT")
	}
	t = kalam.TypeOf(def.Kind)
	if p.isPunct('(') {
		if t, err = p.typeArguments(t, def.Args, column); err != nil {
			return t, false, err
		}
	}
	if name == "TIMESTAMP" || name == "TIME" {
		if p.accept("WITH", "TIME", "ZONE") {
			if name == "TIME" {
				return t, false, unsupportedType(pos, column, "TIME WITH TIME ZONE")
			}
			t = kalam.TypeOf(kalam.KindDateTime)
		} else {
			p.accept("WITHOUT", "TIME", "ZONE")
		}
	}
	if suffix := p.typeSuffix(); suffix != "" {
		return t, false, unsupportedType(pos, column, name+suffix)
	}
	p.accept("SIGNED")
	return t, def.Serial, nil
}

// typeSuffix returns what makes the type before the current token another one:
// UNSIGNED or an array, " UNSIGNED" or "[]"; otherwise "".
func (p *parser) typeSuffix() string {
	switch {
	case p.is("UNSIGNED"), p.is("ZEROFILL"), p.is("ARRAY"):
		return " " + p.words(1)
	case p.isPunct('['):
		return "[]"
	}
	return ""
}

// typeArguments consumes ( n [, m] ) after the name of type t.
func (p *parser) typeArguments(t kalam.DataType, args kalam.TypeArgs, column string) (kalam.DataType, error) {
	pos := p.tok.Pos
	p.advance()
	n, err := p.typeArgument(column)
	if err != nil {
		return t, err
	}
	m := 0
	if args == kalam.ArgsDecimal && p.acceptPunct(',') {
		if m, err = p.typeArgument(column); err != nil {
			return t, err
		}
	}
	if err := p.expectPunct(')'); err != nil {
		return t, err
	}
	switch {
	case args == kalam.ArgsNone:
		return t, syntaxError(pos, "%s%s takes no arguments", ofColumn(column), t)
	case args == kalam.ArgsDigits && n > 9:
		return t, syntaxError(pos, "%s%s precision must be between 0 and 9, got %d", ofColumn(column), t, n)
	case args == kalam.ArgsLength && n < 1:
		return t, syntaxError(pos, "%s%s length must be at least 1", ofColumn(column), t)
	case args == kalam.ArgsFloat && (n < 1 || n > 53):
		return t, syntaxError(pos, "%sFLOAT precision must be between 1 and 53, got %d", ofColumn(column), n)
	case args == kalam.ArgsFloat && n > 24:
		return kalam.TypeOf(kalam.KindDouble), nil
	case args != kalam.ArgsDecimal:
		return t, nil
	case n < 1 || n > kalam.MaxDecimalPrecision:
		return t, syntaxError(pos, "%sDECIMAL precision must be between 1 and %d, got %d", ofColumn(column),
			kalam.MaxDecimalPrecision, n)
	case m > n:
		return t, syntaxError(pos, "%sDECIMAL scale must be between 0 and the precision (%d), got %d", ofColumn(column),
			n, m)
	}
	return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(n), Scale: uint8(m)}, nil
}

func (p *parser) typeArgument(column string) (int, error) {
	text := p.text(p.tok)
	n, err := strconv.Atoi(text)
	if p.tok.Kind != sqltext.Number || err != nil || len(text) > 9 {
		if p.tok.Kind == sqltext.Number {
			return 0, syntaxError(p.tok.Pos, "%sinvalid type argument '%s'", ofColumn(column), sqltext.Short(text))
		}
		return 0, p.unexpected("a number")
	}
	p.advance()
	return n, nil
}
