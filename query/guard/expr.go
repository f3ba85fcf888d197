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

// typ checks a type: built-in ones and those made of them.
func (c *checker) typ(n tree.Node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	if !c.generated {
		ourType(n)
	}
	id, info := tree.Str(n, "id"), tree.Child(n, "type_info")
	name := strings.ToLower(id)
	if id == "UNBOUND" {
		name = strings.ToLower(tree.Str(info, "name"))
		if tree.Str(info, "schema") != "" || tree.Str(info, "catalog") != "" || !namedTypes.has(name) {
			c.refuse(n, kalam.CodeInvalidSQL, "Type '%s' does not exist", tree.Str(info, "name"))
			return
		}
	} else if !allowedTypes.has(strings.ReplaceAll(name, " with time zone", "")) ||
		tree.Str(info, "type") == "GENERIC_TYPE_INFO" {
		c.refuse(n, kalam.CodeInvalidSQL, "Type '%s' is not supported", id)
		return
	}
	if t := tree.Child(info, "child_type"); t != nil {
		c.typ(t)
	}
	for _, v := range tree.Elems(info, "child_types") {
		member, _ := v.(tree.Node)
		if t := tree.Child(member, "second"); t != nil {
			c.typ(t)
		}
	}
	c.plain(n, info)
}

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

// surroundings are what the walk is in, as far as expressions care.
type surroundings struct {
	// How many lambdas, macros that double their arguments, and subqueries.
	lambdas, macros, subqueries int
	disjoint                    bool      // Below an OR or NOT.
	nesting                     int       // How deep in one expression.
	results                     aliasRule // What an alias is to a name.
}

// expr checks an expression.
func (c *checker) expr(n tree.Node) {
	if !c.enter(n) {
		return
	}
	defer c.leave()
	class := tree.Str(n, "class")
	s, ok := exprShapes[class]
	if !ok {
		c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", class)
		return
	}
	outer := c.in
	if c.in.nesting++; c.in.nesting > maxNesting {
		c.refuse(
			n,
			kalam.CodeInvalidSQL,
			"Expression is nested more than %d deep; each operator of a chain counts",
			maxNesting,
		)
	}
	_, lambda := n[lambdaMark]
	delete(n, lambdaMark)
	c.class(n, class, lambda)
	c.fields(n, class, s, "class type alias query_location")
	c.in = outer
	if class == "LAMBDA" && !lambda {
		// DuckDB tries each arrow as a lambda first, which doubles the work for
		// every one in a chain.
		tree.Become(n, tree.Call("json_extract", n["lhs"], n["expr"]))
	}
	if c.err == nil {
		c.rewrite(n)
	}
}

// class checks what is special to a class, before the fields of the node.
func (c *checker) class(n tree.Node, class string, lambda bool) {
	switch class {
	case "LAMBDA":
		if lambda {
			if c.in.lambdas++; c.in.lambdas > maxLambdas {
				c.refuse(n, kalam.CodeUnsupported, "Lambdas may be nested %d deep", maxLambdas)
			}
		} else if c.generated {
			c.refuse(n, kalam.CodeUnsupported, "This query cannot be processed")
		}
	case "CONJUNCTION":
		c.in.disjoint = c.in.disjoint || tree.Str(n, "type") == "CONJUNCTION_OR"
	case "OPERATOR":
		t := tree.Str(n, "type")
		if !operatorTypes.has(t) {
			c.refuse(n, kalam.CodeUnsupported, "%s is not supported in an expression", t)
		}
		c.in.disjoint = c.in.disjoint || t == "OPERATOR_NOT"
	case "FUNCTION", "WINDOW":
		c.methodCall(n)
		c.function(n)
	case "PARAMETER":
		c.placeholder(n)
	case "COLLATE":
		c.collation(n)
	case "SUBQUERY":
		if c.in.subqueries++; c.in.subqueries > maxSubqueries {
			c.refuse(n, kalam.CodeUnsupported, "Subqueries in expressions may be nested %d deep", maxSubqueries)
		}
		// A subquery without a query has a form that the parser does not give.
		if tree.Child(n, "subquery") == nil {
			c.refuse(n, kalam.CodeUnsupported, "This form of subquery is not supported")
		}
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

// sourceName is the name that stands for table i in the text of a statement.
func sourceName(prefix string, i int) string { return SourceMark(prefix) + strconv.Itoa(i) + "_" }

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
