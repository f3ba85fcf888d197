package pool

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/process"
	"github.com/kalamlake/kalam/query/wire"
)

// ask makes a call that is answered by one frame, whose payload use reads.
func (p *Pool) ask(ctx context.Context, user kalam.UserID, kind byte, payload []byte, use func(*wire.Reader)) error {
	c, err := p.acquire(ctx, user, demand{})
	if err != nil {
		return err
	}
	err = c.send(kind, payload)
	return c.answered(err, use)
}

// Parse implements query.Executor.
func (p *Pool) Parse(ctx context.Context, user kalam.UserID, sql string) (string, error) {
	texts, err := p.translate(ctx, user, wire.Parse, sql, 1)
	return texts[0], err
}

// Write implements query.Executor.
func (p *Pool) Write(ctx context.Context, user kalam.UserID, tree string) (string, error) {
	texts, err := p.translate(ctx, user, wire.Write, tree, 1)
	return texts[0], err
}

// Rewrite implements query.Executor.
func (p *Pool) Rewrite(ctx context.Context, user kalam.UserID, tree string) (sql, again string, err error) {
	texts, err := p.translate(ctx, user, wire.Rewrite, tree, 2)
	return texts[0], texts[1], err
}

// translate returns two texts, of which the worker gives n.
func (p *Pool) translate(
	ctx context.Context, user kalam.UserID, what wire.Translation, text string, n int,
) (out [2]string, err error) {
	b := wire.Buffer{B: make([]byte, 0, len(text)+16)}
	b.B = append(b.B, byte(what))
	b.Text(text)
	var texts []string
	if err := p.ask(ctx, user, wire.Translate, b.B, func(r *wire.Reader) { texts = r.Texts() }); err != nil {
		return out, err
	}
	if len(texts) != n {
		return out, kalam.Errorf(kalam.CodeInternal, "a query worker gave %d texts", len(texts))
	}
	copy(out[:], texts)
	return out, nil
}

// Describe implements query.Executor.
func (p *Pool) Describe(ctx context.Context, user kalam.UserID, sql string) (d query.Description, err error) {
	var b wire.Buffer
	b.Text(sql)
	err = p.ask(ctx, user, wire.Describe, b.B, func(r *wire.Reader) { d = r.Description() })
	return d, err
}

// Explain implements query.Executor.
func (p *Pool) Explain(ctx context.Context, st *query.Statement, analyze bool) (text string, err error) {
	c, err := p.acquire(ctx, st.User, demand{parallel: st.Parallel})
	if err != nil {
		return "", err
	}
	var b wire.Buffer
	b.Bool(analyze)
	if err = c.sendStatement(wire.Explain, &b, st); err != nil {
		return "", c.unsent(err)
	}
	err = c.answered(nil, func(r *wire.Reader) { text = r.Text() })
	return text, err
}

// answered ends a call that was sent, unless sent is an error, by its answer.
func (c *call) answered(sent error, use func(*wire.Reader)) error {
	var f process.Frame
	err := sent
	if err == nil {
		f, err = c.read()
	}
	if err != nil {
		err = c.lost(err)
		c.finish(err, true)
		return err
	}
	r := wire.NewReader(f.Payload)
	if f.Kind != wire.Answer {
		err = failureOf(f.Kind, r)
		c.finish(err, false)
		return c.ended(err)
	}
	use(r)
	err = r.Err()
	c.finish(err, err != nil)
	return err
}
