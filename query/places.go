package query

import "github.com/kalamlake/kalam/sqltext"

// places translates offsets in one text of a statement to offsets in another
// that differs only in white space, comments and the case of keywords.
type places struct {
	from, to []sqltext.Lexeme
}

func newPlaces(from, to string) *places {
	p := &places{}
	p.from, _ = sqltext.Lex(from) // The parser has taken both texts.
	p.to, _ = sqltext.Lex(to)
	return p
}

// of returns where the lexeme that holds offset pos is in the other text, 0 when
// the texts have nothing in common there.
func (p *places) of(pos int) int {
	for i, l := range p.from {
		if pos < l.End && i < len(p.to) {
			return p.to[i].Pos + min(max(pos-l.Pos, 0), p.to[i].End-p.to[i].Pos)
		}
	}
	return 0
}
