package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// typeArgs says what may stand in parentheses after the name of a type.
type typeArgs uint8

const (
	argsNone    typeArgs = iota
	argsLength           // (n): a length or display width, which has no effect.
	argsDigits           // (p): digits of seconds; storage always keeps microseconds.
	argsFloat            // (p): binary digits, more than 24 of which make a DOUBLE.
	argsDecimal          // (p[, s])
)

type typeName struct {
	kind   kalam.Kind
	args   typeArgs
	serial bool // Means AUTO_INCREMENT and NOT NULL.
}

// typeNames is a table of constants: the names of types and their aliases.
var typeNames = map[string]typeName{
	"BOOLEAN": {kind: kalam.KindBoolean}, "BOOL": {kind: kalam.KindBoolean},
	"SMALLINT": {kalam.KindSmallInt, argsLength, false}, "INT2": {kind: kalam.KindSmallInt},
	"INT": {kalam.KindInt, argsLength, false}, "INTEGER": {kalam.KindInt, argsLength, false},
	"INT4": {kind: kalam.KindInt}, "MEDIUMINT": {kalam.KindInt, argsLength, false}, "SIGNED": {kind: kalam.KindInt},
	"BIGINT": {kalam.KindBigInt, argsLength, false}, "INT8": {kind: kalam.KindBigInt}, "INT64": {kind: kalam.KindBigInt},
	"SERIAL": {kalam.KindInt, argsNone, true}, "SERIAL4": {kalam.KindInt, argsNone, true},
	"SERIAL8": {kalam.KindBigInt, argsNone, true}, "BIGSERIAL": {kalam.KindBigInt, argsNone, true},
	"SERIAL2": {kalam.KindSmallInt, argsNone, true}, "SMALLSERIAL": {kalam.KindSmallInt, argsNone, true},
	"FLOAT": {kalam.KindFloat, argsFloat, false}, "REAL": {kind: kalam.KindFloat}, "FLOAT4": {kind: kalam.KindFloat},
	"DOUBLE": {kind: kalam.KindDouble}, "FLOAT8": {kind: kalam.KindDouble}, "FLOAT64": {kind: kalam.KindDouble},
	"DECIMAL": {kalam.KindDecimal, argsDecimal, false}, "NUMERIC": {kalam.KindDecimal, argsDecimal, false},
	"DEC":  {kalam.KindDecimal, argsDecimal, false},
	"TEXT": {kalam.KindText, argsLength, false}, "CHAR": {kalam.KindText, argsLength, false},
	"CHARACTER": {kalam.KindText, argsLength, false}, "VARCHAR": {kalam.KindText, argsLength, false},
	"NVARCHAR": {kalam.KindText, argsLength, false}, "NCHAR": {kalam.KindText, argsLength, false},
	"CLOB": {kalam.KindText, argsLength, false}, "STRING": {kalam.KindText, argsLength, false},
	"JSON": {kind: kalam.KindJSON}, "JSONB": {kind: kalam.KindJSON}, "OBJECT": {kind: kalam.KindJSON},
	"BINARY": {kalam.KindBytes, argsLength, false}, "VARBINARY": {kalam.KindBytes, argsLength, false},
	"BLOB": {kalam.KindBytes, argsLength, false}, "BYTES": {kalam.KindBytes, argsLength, false},
	"BYTEA": {kind: kalam.KindBytes}, "DATE": {kind: kalam.KindDate},
	"TIME": {kalam.KindTime, argsDigits, false}, "TIMESTAMP": {kalam.KindTimestamp, argsDigits, false},
	"TIMESTAMPTZ": {kalam.KindDateTime, argsDigits, false}, "DATETIME": {kalam.KindDateTime, argsDigits, false},
	"UUID": {kind: kalam.KindUUID},
}

// findType returns the type named word (upper case). As in KalamDB, any name
// that ends in TEXT or STRING is TEXT.
func findType(word string) (typeName, bool) {
	if t, ok := typeNames[word]; ok {
		return t, true
	}
	if len(word) <= sqltext.MaxShown && (strings.HasSuffix(word, "TEXT") || strings.HasSuffix(word, "STRING")) {
		return typeName{kalam.KindText, argsLength, false}, true
	}
	return typeName{}, false
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
	list := make([]string, 0, 16)
	for _, k := range kalam.Kinds() {
		list = append(list, k.String())
	}
	return syntaxError(pos, "%sData type %s not supported. Supported types: %s", ofColumn(column),
		name, strings.Join(list, ", "))
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
	t = kalam.TypeOf(def.kind)
	if p.isPunct('(') {
		if t, err = p.typeArguments(t, def.args, column); err != nil {
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
	return t, def.serial, nil
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
func (p *parser) typeArguments(t kalam.DataType, args typeArgs, column string) (kalam.DataType, error) {
	pos := p.tok.Pos
	p.advance()
	n, err := p.typeArgument(column)
	if err != nil {
		return t, err
	}
	m := 0
	if args == argsDecimal && p.acceptPunct(',') {
		if m, err = p.typeArgument(column); err != nil {
			return t, err
		}
	}
	if err := p.expectPunct(')'); err != nil {
		return t, err
	}
	switch {
	case args == argsNone:
		return t, syntaxError(pos, "%s%s takes no arguments", ofColumn(column), t)
	case args == argsDigits && n > 9:
		return t, syntaxError(pos, "%s%s precision must be between 0 and 9, got %d", ofColumn(column), t, n)
	case args == argsLength && n < 1:
		return t, syntaxError(pos, "%s%s length must be at least 1", ofColumn(column), t)
	case args == argsFloat && (n < 1 || n > 53):
		return t, syntaxError(pos, "%sFLOAT precision must be between 1 and 53, got %d", ofColumn(column), n)
	case args == argsFloat && n > 24:
		return kalam.TypeOf(kalam.KindDouble), nil
	case args != argsDecimal:
		return t, nil
	case n < 1 || n > kalam.MaxDecimalPrecision:
		return t, syntaxError(pos, "%sDECIMAL precision must be between 1 and %d, got %d", ofColumn(column),
			kalam.MaxDecimalPrecision, n)
	case m > n:
		return t, syntaxError(pos, "%sDECIMAL scale must be between 0 and the precision (%d), got %d", ofColumn(column), n, m)
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
