package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// openDiscord reads what Discord sends who asks for their data, a directory for each channel
// below messages, with the messages of that user; or a file of DiscordChatExporter, a whole
// channel.
func openDiscord(t *tree) (chatExport, error) {
	if t.files == nil {
		elements, err := t.elements("")
		if err != nil {
			return nil, err
		}
		read := func() (*conversation, error) {
			raw, _, err := elements()
			if err != nil {
				return nil, err
			}
			return exportedChannel(raw)
		}
		return &conversations{load: []func() (*conversation, error){read}}, nil
	}
	root := "messages"
	if _, err := fs.Stat(t.files, root); err != nil {
		root = "Messages" // So newer packages write it.
	}
	channels, err := fs.Glob(t.files, root+"/*/messages.json")
	if err != nil {
		return nil, err
	}
	if len(channels) == 0 {
		return nil, errors.New("it has no messages/*/messages.json")
	}
	slices.Sort(channels)
	var titles map[string]*string
	if err := t.decode(root+"/index.json", &titles); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	out := &conversations{}
	for _, file := range channels {
		out.load = append(out.load, func() (*conversation, error) { return discordChannel(t, path.Dir(file), titles) })
	}
	return out, nil
}

// discordMessage is an element of messages.json.
type discordMessage struct {
	ID          json.Number     `json:"ID"`
	Timestamp   string          `json:"Timestamp"`
	Contents    string          `json:"Contents"`
	Attachments json.RawMessage `json:"Attachments"`
}

// discordChannel reads a directory of the package. The newest message comes first there.
func discordChannel(t *tree, dir string, titles map[string]*string) (*conversation, error) {
	var messages []discordMessage
	if err := t.decode(dir+"/messages.json", &messages); err != nil {
		return nil, err
	}
	var channel struct {
		ID    string          `json:"id"`
		Name  string          `json:"name"`
		Type  json.RawMessage `json:"type"`
		Guild json.RawMessage `json:"guild"`
	}
	if err := t.decode(dir+"/channel.json", &channel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if channel.ID == "" {
		channel.ID = strings.TrimPrefix(path.Base(dir), "c")
	}
	out := &conversation{id: channel.ID, title: channel.Name,
		meta: metaText(map[string]json.RawMessage{"type": channel.Type, "guild": channel.Guild})}
	if title := titles[channel.ID]; out.title == "" && title != nil {
		out.title = *title
	}
	slices.SortStableFunc(messages, func(a, b discordMessage) int { return strings.Compare(a.Timestamp, b.Timestamp) })
	for _, m := range messages {
		out.messages = append(out.messages, message{id: m.ID.String(), role: "user", content: m.Contents,
			created: strings.Replace(m.Timestamp, " ", "T", 1),
			meta:    metaText(map[string]json.RawMessage{"attachments": m.Attachments})})
	}
	out.span()
	return out, nil
}

// span takes the times of a conversation from its messages.
func (c *conversation) span() {
	if n := len(c.messages); n > 0 {
		c.created, c.updated = c.messages[0].created, c.messages[n-1].created
	}
}

// exportedChannel reads a file of DiscordChatExporter.
func exportedChannel(raw []byte) (*conversation, error) {
	var file struct {
		Guild   json.RawMessage `json:"guild"`
		Channel struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"channel"`
		Messages []struct {
			ID        string `json:"id"`
			Timestamp string `json:"timestamp"`
			Content   string `json:"content"`
			Author    struct {
				ID   json.RawMessage `json:"id"`
				Name string          `json:"name"`
				Bot  bool            `json:"isBot"`
			} `json:"author"`
			Reference struct {
				Message string `json:"messageId"`
			} `json:"reference"`
			Type        json.RawMessage `json:"type"`
			Attachments json.RawMessage `json:"attachments"`
			Embeds      json.RawMessage `json:"embeds"`
			Reactions   json.RawMessage `json:"reactions"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	if file.Channel.ID == "" {
		return nil, fmt.Errorf("the file has no channel with an id")
	}
	out := &conversation{id: file.Channel.ID, title: file.Channel.Name,
		meta: metaText(map[string]json.RawMessage{"guild": file.Guild})}
	for _, m := range file.Messages {
		role := "user"
		if m.Author.Bot {
			role = "bot"
		}
		out.messages = append(out.messages, message{id: m.ID, parent: m.Reference.Message, role: role, author: m.Author.Name,
			content: m.Content, created: m.Timestamp,
			meta: metaText(map[string]json.RawMessage{"author_id": m.Author.ID, "type": m.Type, "attachments": m.Attachments,
				"embeds": m.Embeds, "reactions": m.Reactions})})
	}
	out.span()
	return out, nil
}
