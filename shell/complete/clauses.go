package complete

import (
	"strings"

	"github.com/kalamlake/kalam/shell/scan"
)

// endsOperand reports whether an expression may end with t, so that no name can
// follow.
func endsOperand(t scan.Token) bool {
	switch t.Kind {
	case scan.Punct:
		return t.Text == ")" || t.Text == "*" || t.Text == "]"
	case scan.Word:
		return !isKeyword(t.Text) || t.Is("NULL") || t.Is("TRUE") || t.Is("FALSE") || t.Is("END")
	}
	return true
}

// clauseWords begin a part of a statement.
var clauseWords = wordSet(`SELECT FROM JOIN WHERE ON USING GROUP ORDER HAVING QUALIFY LIMIT OFFSET SET VALUES INTO
UPDATE RETURNING TABLE WINDOW`)

// tableClauses are those behind which a table stands.
var tableClauses = wordSet("FROM JOIN INTO UPDATE TABLE DESCRIBE DESC TO STATS")

func isTableClause(word string) bool { return tableClauses[word] }

// clauseOf returns the word that begins the last clause of tokens, and whether a
// bracket was opened since.
func clauseOf(tokens []scan.Token) (clause string, paren bool) {
	depth := 0
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		switch {
		case t.Kind == scan.Punct && t.Text == ")":
			depth++
		case t.Kind == scan.Punct && t.Text == "(":
			depth--
			paren = paren || depth < 0
		case depth <= 0 && t.IsWord() && clauseWords[strings.ToUpper(t.Text)]:
			return strings.ToUpper(t.Text), paren
		}
	}
	return "", paren
}

// optionWords returns the options that may stand in the bracket in which tokens
// end, nil if it is no bracket of options.
func optionWords(tokens []scan.Token) []string {
	depth := 0
	for i := len(tokens) - 1; i > 0; i-- {
		if tokens[i].Kind != scan.Punct {
			continue
		}
		switch tokens[i].Text {
		case ")":
			depth++
		case "(":
			if depth--; depth >= 0 {
				continue
			}
			last := tokens[len(tokens)-1]
			isName := last.Text == "(" || last.Text == ","
			switch {
			case tokens[i-1].Is("WITH") && tokens[0].Is("CREATE") && isName:
				return tableOptions
			case tokens[i-1].Is("OPTIONS") && isName:
				return subscribeOptions
			}
			return nil
		}
	}
	return nil
}
