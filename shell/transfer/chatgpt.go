package transfer

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"
)

// chatGPT reads conversations.json, which is the whole of an export of ChatGPT but for its
// pictures. The messages of a conversation are a tree, since a question may be asked anew:
// they are given from the root down, each before its answers.
type chatGPT struct {
	elements func() ([]byte, int64, error)
}

// gptConversation is an element of conversations.json.
type gptConversation struct {
	ID           string              `json:"id"`
	Conversation string              `json:"conversation_id"`
	Title        string              `json:"title"`
	Created      *float64            `json:"create_time"`
	Updated      *float64            `json:"update_time"`
	Mapping      map[string]*gptNode `json:"mapping"`
	Current      json.RawMessage     `json:"current_node"`
	Model        json.RawMessage     `json:"default_model_slug"`
	Gizmo        json.RawMessage     `json:"gizmo_id"`
	Archived     json.RawMessage     `json:"is_archived"`
}

// gptNode is a node of the tree.
type gptNode struct {
	Message  *gptMessage `json:"message"`
	Parent   string      `json:"parent"`
	Children []string    `json:"children"`
}

// gptMessage is the message of a node.
type gptMessage struct {
	ID     string `json:"id"`
	Author struct {
		Role string `json:"role"`
		Name string `json:"name"`
	} `json:"author"`
	Created *float64 `json:"create_time"`
	Content struct {
		Type  string            `json:"content_type"`
		Parts []json.RawMessage `json:"parts"`
		Text  string            `json:"text"`
	} `json:"content"`
	Status    json.RawMessage `json:"status"`
	Recipient json.RawMessage `json:"recipient"`
	Metadata  json.RawMessage `json:"metadata"`
}

func openChatGPT(t *tree) (chatExport, error) {
	elements, err := t.elements("conversations.json")
	if err != nil {
		return nil, err
	}
	return &chatGPT{elements}, nil
}

func (g *chatGPT) next() (*conversation, error) {
	raw, _, err := g.elements()
	if err != nil {
		return nil, err
	}
	var c gptConversation
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, &badRecord{reason: "not a conversation of ChatGPT: " + err.Error(), text: string(raw)}
	}
	out := &conversation{id: c.ID, title: c.Title, created: secondsText(c.Created), updated: secondsText(c.Updated),
		meta: metaText(map[string]json.RawMessage{"current_node": c.Current, "model": c.Model, "gizmo_id": c.Gizmo,
			"is_archived": c.Archived})}
	if out.id == "" {
		out.id = c.Conversation
	}
	if out.id == "" || c.Mapping == nil {
		return nil, &badRecord{reason: "not a conversation of ChatGPT: it has no id or no mapping", text: string(raw)}
	}
	if out.messages, err = c.messages(raw); err != nil {
		return nil, &badRecord{reason: err.Error(), text: string(raw)}
	}
	return out, nil
}

// messages returns the messages from the roots down.
func (c *gptConversation) messages(raw []byte) ([]message, error) {
	roots, err := c.roots(raw)
	if err != nil {
		return nil, err
	}
	var out []message
	seen := map[string]bool{}
	open := roots // A stack, the next node last.
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		n := c.Mapping[id]
		if n == nil || seen[id] {
			continue
		}
		seen[id] = true
		if n.Message != nil {
			m := n.Message.message(id)
			m.parent = c.spoken(n.Parent)
			out = append(out, m)
		}
		for i := len(n.Children) - 1; i >= 0; i-- {
			open = append(open, n.Children[i])
		}
	}
	return out, nil
}

// roots returns the nodes without a parent, the last first, in the order of the file.
func (c *gptConversation) roots(raw []byte) ([]string, error) {
	var outer struct {
		Mapping json.RawMessage `json:"mapping"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return nil, err
	}
	keys, _, err := members(outer.Mapping)
	if err != nil {
		return nil, err
	}
	var roots []string
	for i := len(keys) - 1; i >= 0; i-- {
		if n := c.Mapping[keys[i]]; n != nil && c.Mapping[n.Parent] == nil {
			roots = append(roots, keys[i])
		}
	}
	if len(roots) == 0 && len(keys) > 0 {
		return nil, errors.New("the messages have no first one")
	}
	return roots, nil
}

// spoken is the nearest message from a node up: nodes without one are only scaffolding.
func (c *gptConversation) spoken(id string) string {
	for range len(c.Mapping) {
		n := c.Mapping[id]
		if n == nil {
			return ""
		}
		if n.Message != nil {
			return n.Message.id(id)
		}
		id = n.Parent
	}
	return ""
}

// id is that of the message, that of its node if it has none.
func (m *gptMessage) id(node string) string {
	if m.ID != "" {
		return m.ID
	}
	return node
}

// message is the row of the message.
func (m *gptMessage) message(node string) message {
	out := message{id: m.id(node), role: m.Author.Role, author: m.Author.Name, created: secondsText(m.Created)}
	var texts []string
	var others []json.RawMessage
	for _, p := range m.Content.Parts {
		var s string
		if json.Unmarshal(p, &s) == nil {
			texts = append(texts, s)
		} else {
			others = append(others, p)
		}
	}
	if out.content = strings.Join(texts, "\n\n"); out.content == "" {
		out.content = m.Content.Text
	}
	var known struct {
		Model string `json:"model_slug"`
	}
	if json.Unmarshal(m.Metadata, &known) == nil {
		out.model = known.Model
	}
	parts, err := json.Marshal(others)
	if err != nil {
		parts = nil // They came out of valid JSON.
	}
	out.meta = metaText(map[string]json.RawMessage{"content_type": jsonString(m.Content.Type), "parts": parts,
		"status": m.Status, "recipient": m.Recipient, "metadata": m.Metadata})
	return out
}

// secondsText is a time in seconds since 1970 as ISO 8601, "" for none.
func secondsText(seconds *float64) string {
	if seconds == nil || math.Abs(*seconds) > 1e11 {
		return ""
	}
	return time.UnixMicro(int64(math.Round(*seconds * 1e6))).UTC().Format("2006-01-02T15:04:05.999999Z")
}
