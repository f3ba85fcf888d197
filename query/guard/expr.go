package guard

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/query/tree"
)

// ourType replaces a name that CREATE TABLE has for a type, and DuckDB has not, such as
// BYTES, by DuckDB's.
func ourType(n tree.Node) {
	info := tree.Child(n, "type_info")
	name := tree.Str(info, "name")
	if tree.Str(n, "id") != "UNBOUND" || tree.Str(info, "schema") != "" || tree.Str(info, "catalog") != "" ||
		namedTypes.has(name) {
		return
	}
	if t, err := dialect.ParseType(name); err == nil && hasPlainName(t) {
		n["id"], n["type_info"] = datatype.DuckName(t), nil
	}
}

// lambdaMark is the field of a LAMBDA node that is a function of list elements.
// Others are the JSON operator ->.
const lambdaMark = "kalam_lambda"

// markLambdas marks the lambdas among the arguments of a function.
func (c *checker) markLambdas(n tree.Node, name string) {
	if !lambdaFunctions.has(name) {
		return
	}
	for i, v := range tree.Elems(n, "children") {
		if arg, _ := v.(tree.Node); i > 0 && tree.Str(arg, "class") == "LAMBDA" {
			arg[lambdaMark] = true
		}
	}
}

// ownSchemas are schemas of DuckDB's functions: before a call they are no column.
var ownSchemas = newFunctionSet("main pg_catalog information_schema system temp duckdb")

// methodCall turns column.f(x) into f(column, x), which is what it means.
func (c *checker) methodCall(n tree.Node) {
	name := tree.Str(n, "function_name")
	if c.generated || tree.Str(n, "class") != "FUNCTION" || tree.Str(n, "schema") == "" ||
		ownSchemas.has(tree.Str(n, "schema")) ||
		!valueFunctions.has(name) && !serverFunctions.has(name) {
		return
	}
	var cols []string
	for _, key := range []string{"catalog", "schema"} {
		if s := tree.Str(n, key); s != "" {
			cols = append(cols, s)
		}
	}
	column := tree.Column(cols...)
	column["query_location"] = n["query_location"]
	n["children"] = append([]any{column}, tree.Elems(n, "children")...)
	n["catalog"], n["schema"] = "", ""
}

// function checks the name of a function.
func (c *checker) function(n tree.Node) {
	name, inFrom := tree.Str(n, "function_name"), c.inFrom
	c.inFrom = false // The arguments are values again.
	if c.generated {
		if strings.HasPrefix(name, "kalam_") {
			if name != "kalam_snowflake_id" && name != "kalam_ulid" {
				c.refuseFunction(n, "Function", name)
			}
			return
		}
	} else if serverFunctions.has(name) && tree.Str(n, "class") == "FUNCTION" && OwnSchema(n) {
		return
	}
	if export, _ := n["export_state"].(bool); export || !OwnSchema(n) ||
		!valueFunctions.has(name) && !fromFunctions.has(name) {
		c.refuseFunction(n, "Function", name)
		return
	}
	c.markLambdas(n, name)
	if reducerFunctions.has(name) && tree.Str(n, "class") == "FUNCTION" {
		c.in.results = columnsFirst
	}
	if doublingMacros.has(name) {
		if c.in.macros++; c.in.macros > maxMacros {
			c.refuse(n, kalam.CodeUnsupported, "Function '%s' may be nested %d deep", name, maxMacros)
		}
	}
	c.names = append(c.names, nameUse{strings.ToLower(name), tree.Offset(n)})
	if args := tree.Elems(n, "children"); strings.EqualFold(name, "error") && len(args) == 1 && !c.generated {
		c.markMessage(args)
	}
	c.checkAmplifier(n, strings.ToLower(name), inFrom)
}

// OwnMessage begins the message that a user gives to error(). DuckDB takes a
// message that begins like a JSON object for an error of its own, of any type.
const OwnMessage = "\u2060"

func (c *checker) markMessage(args []any) {
	if x, ok := args[0].(tree.Node); ok {
		args[0] = tree.Operator("||", tree.TextConst(OwnMessage), x)
	}
}

// placeholder checks $n.
func (c *checker) placeholder(n tree.Node) {
	id := tree.Str(n, "identifier")
	i, err := strconv.Atoi(id)
	if err != nil || i < 1 || i > maxParams && !c.generated || strconv.Itoa(i) != id {
		c.refuse(n, kalam.CodeInvalidSQL, "Invalid parameter placeholder '$%s'", id)
		return
	}
	c.params[i] = true
}

// maxParams is the highest number of a placeholder of the user's.
const maxParams = 65535

// collation checks the name of a collation.
func (c *checker) collation(n tree.Node) {
	name := tree.Str(n, "collation")
	for _, r := range name {
		if r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			c.refuse(n, kalam.CodeInvalidSQL, "Collation '%s' does not exist", name)
		}
	}
}

// checkParams checks that placeholders are $1..$n without gaps and returns n.
func (c *checker) checkParams() int {
	highest := 0
	for i := range c.params {
		highest = max(highest, i)
	}
	for i := 1; i <= highest; i++ {
		if !c.params[i] {
			c.refuse(nil, kalam.CodeInvalidSQL, "Invalid parameter placeholder '$%d': there is no $%d", highest, i)
		}
	}
	return highest
}

// hasPlainName reports whether DuckDB's name of t is the whole type, which its parser knows.
func hasPlainName(t kalam.DataType) bool {
	f := t.Kind.Family()
	return f != kalam.FamilyDecimal && f != kalam.FamilyJSON
}
