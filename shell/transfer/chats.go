package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/kalamlake/kalam"
)

// chatReaders are the exports of chats that can be read, by name.
var chatReaders = []struct {
	name string
	open func(t *tree) (chatExport, error)
}{
	{"chatgpt", openChatGPT},
	{"slack", openSlack},
	{"discord", openDiscord},
}

// Chats returns the names of the exports that can be read.
func Chats() (names []string) {
	for _, c := range chatReaders {
		names = append(names, c.name)
	}
	return names
}

// chatExport gives the conversations of an export in an order that is always the same.
type chatExport interface {
	// next returns the next conversation, io.EOF behind the last, a *badRecord for one
	// that cannot be read.
	next() (*conversation, error)
}

// conversation is a conversation of any service.
type conversation struct {
	id, title        string
	created, updated string // ISO 8601, "" for unknown.
	meta             string // JSON
	messages         []message
}

// message is a message of a conversation.
type message struct {
	id, parent    string // parent is the message that this one answers.
	role, author  string
	content       string
	model         string
	created, meta string
}

// The tables of a chat. docs/quickstart/cli-usage.md describes them.
var (
	conversationColumns = []column{
		{name: "id", typ: "TEXT", kind: kalam.KindText, key: true},
		{name: "source", typ: "TEXT", kind: kalam.KindText},
		{name: "title", typ: "TEXT", kind: kalam.KindText},
		{name: "created_at", typ: "TIMESTAMP", kind: kalam.KindTimestamp},
		{name: "updated_at", typ: "TIMESTAMP", kind: kalam.KindTimestamp},
		{name: "meta", typ: "JSON", kind: kalam.KindJSON},
	}
	messageColumns = []column{
		{name: "id", typ: "TEXT", kind: kalam.KindText, key: true},
		{name: "conversation_id", typ: "TEXT", kind: kalam.KindText},
		{name: "parent_id", typ: "TEXT", kind: kalam.KindText},
		{name: "position", typ: "BIGINT", kind: kalam.KindBigInt},
		{name: "role", typ: "TEXT", kind: kalam.KindText},
		{name: "author", typ: "TEXT", kind: kalam.KindText},
		{name: "content", typ: "TEXT", kind: kalam.KindText},
		{name: "model", typ: "TEXT", kind: kalam.KindText},
		{name: "created_at", typ: "TIMESTAMP", kind: kalam.KindTimestamp},
		{name: "meta", typ: "JSON", kind: kalam.KindJSON},
	}
)

// loadChat loads an export into the tables conversations and messages of a namespace.
func loadChat(ctx context.Context, env Env, o LoadOptions) error {
	var plans []*plan
	for _, table := range []struct {
		name    string
		columns []column
		rows    func(source string, c *conversation) []record
	}{
		{"conversations", conversationColumns, conversationRow},
		{"messages", messageColumns, messageRows},
	} {
		p, err := chatPlan(ctx, env, &o, Name{o.Table.Namespace, table.name}, table.columns, table.rows)
		if err != nil {
			for _, p := range plans {
				err = errors.Join(err, p.source.close())
			}
			return err
		}
		plans = append(plans, p)
	}
	return loadPlans(ctx, env, o, plans)
}

// chatPlan is the plan of one of the tables.
func chatPlan(ctx context.Context, env Env, o *LoadOptions, name Name, columns []column,
	rows func(string, *conversation) []record) (*plan, error) {
	t, err := openTree(o.File)
	if err != nil {
		return nil, err
	}
	p := &plan{source: t.source, name: name, format: o.As, keyed: true}
	r := &chatReader{source: o.As, rows: rows}
	for _, c := range columns {
		r.names = append(r.names, c.name)
	}
	for _, c := range chatReaders {
		if c.name == o.As {
			r.export, err = c.open(t)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no export of %s: %w", o.File, o.As, err), t.source.close())
	}
	p.reader = r
	there, err := tableColumns(ctx, env.Client, name)
	switch {
	case err != nil:
	case len(there) > 0:
		err = p.into(r.names, there)
	default:
		p.create = createTable(name, o.Kind, columns)
		for i, c := range columns {
			p.columns, p.from = append(p.columns, c), append(p.from, i)
		}
	}
	if err != nil {
		return nil, errors.Join(err, t.source.close())
	}
	return p, nil
}

// chatReader gives the rows of one table of an export.
type chatReader struct {
	source string
	names  []string
	export chatExport
	rows   func(source string, c *conversation) []record
	ahead  []record
	number int64
}

func (c *chatReader) columns() []string { return c.names }

func (c *chatReader) next() (record, error) {
	for len(c.ahead) == 0 {
		talk, err := c.export.next()
		var bad *badRecord
		if errors.As(err, &bad) {
			c.number++
			bad.number = c.number
		}
		if err != nil {
			return record{}, err
		}
		c.ahead = c.rows(c.source, talk)
	}
	r := c.ahead[0]
	c.ahead = c.ahead[1:]
	c.number++
	r.number = c.number
	return r, nil
}

// conversationRow is the row of a conversation.
func conversationRow(source string, c *conversation) []record {
	return []record{{values: []value{
		{quoted, c.id}, {quoted, source}, optional(c.title), optional(c.created), optional(c.updated), {nested, c.meta},
	}}}
}

// messageRows are the rows of the messages of a conversation.
func messageRows(_ string, c *conversation) (rows []record) {
	for i, m := range c.messages {
		rows = append(rows, record{values: []value{
			{quoted, m.id}, {quoted, c.id}, optional(m.parent), {number,
				fmt.Sprint(i + 1)}, optional(m.role), optional(m.author),
			{quoted, m.content}, optional(m.model), optional(m.created), {nested, m.meta},
		}})
	}
	return rows
}

// optional is a text, NULL if it is empty.
func optional(s string) value {
	if s == "" {
		return value{kind: null}
	}
	return value{quoted, s}
}

// metaText is what is known of a thing beside its columns, as an object: the members that
// are not empty.
func metaText(members map[string]json.RawMessage) string {
	kept := map[string]json.RawMessage{}
	for k, v := range members {
		switch string(v) {
		case "", "null", "[]", "{}", `""`:
		default:
			kept[k] = v
		}
	}
	b, err := json.Marshal(kept) // The keys are sorted.
	if err != nil {
		return "{}"
	}
	return string(b)
}

// conversations gives conversations that are in memory.
type conversations struct {
	load []func() (*conversation, error)
}

func (c *conversations) next() (*conversation, error) {
	if len(c.load) == 0 {
		return nil, io.EOF
	}
	f := c.load[0]
	c.load = c.load[1:]
	talk, err := f()
	if err != nil {
		return nil, &badRecord{reason: err.Error()}
	}
	return talk, nil
}
