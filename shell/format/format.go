package format

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/link"
)

// Response prints the results of a request. name is put before the message of a
// statement: "Statement 3: " in a script, by its number in the request.
func (p *Printer) Response(res *link.Response, name func(statement int) string) error {
	if p.Format == Envelope {
		b, err := json.MarshalIndent(res.Envelope(), "", "  ")
		if err != nil {
			return err
		}
		_, err = p.Out.Write(append(b, '\n'))
		return err
	}
	for i, r := range res.Results {
		if i > 0 && r.HasRows() && p.Format != JSON {
			fmt.Fprintln(p.Out)
		}
		n := r.Statement()
		if n == 0 {
			n = i + 1
		}
		if err := p.result(r, name(n)); err != nil {
			return err
		}
	}
	if !p.ForPeople() {
		return nil
	}
	_, err := fmt.Fprintf(p.Out, "Took: %.3f ms\n", float64(res.Took().Nanoseconds())/1e6)
	return err
}

// result prints one result.
func (p *Printer) result(r *link.Result, name string) error {
	if !r.HasRows() {
		return p.message(r, name)
	}
	if name != "" {
		p.say(strings.TrimSpace(name))
	}
	if r.Message() != "" && !p.ForPeople() {
		fmt.Fprintln(p.Err, EscapeLines(r.Message()))
	}
	if p.ForPeople() {
		return p.people(r)
	}
	return p.program(r)
}

// program prints the rows of a result in a format for programs.
func (p *Printer) program(r *link.Result) error {
	switch p.Format {
	case JSON:
		if err := r.WriteJSON(p.Out); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.Out)
		return err
	case JSONL:
		return r.WriteJSONLines(p.Out)
	case CSV:
		return p.csv(r)
	case TSV:
		p.tsv(r)
	case Markdown:
		p.markdown(r)
	case HTML:
		p.html(r)
	case Insert:
		p.insert(r, p.statement(r))
	}
	return nil
}

// people prints the rows of a result for people.
func (p *Printer) people(r *link.Result) error {
	shown := len(r.Rows())
	if p.Format == Vertical {
		p.vertical(r)
	} else {
		shown = p.table(r, p.hidden(r))
	}
	count := rowCount(len(r.Rows()))
	if shown < len(r.Rows()) {
		count = fmt.Sprintf("%d rows (%d shown)", len(r.Rows()), shown)
	}
	_, err := fmt.Fprintln(p.Out, count)
	if r.Message() != "" {
		_, err = fmt.Fprintln(p.Out, EscapeLines(r.Message()))
	}
	return err
}
