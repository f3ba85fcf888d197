package tstypes_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/shell/tstypes"
)

func TestWrite(t *testing.T) {
	columns := []tstypes.Column{
		{"app", "chat_messages", "id", "BIGINT", false},
		{"app", "chat_messages", "price", "DECIMAL(10,2)", true},
		{"app", "chat_messages", "meta", "JSON", true},
		{"app_chat", "messages", "new", "TIMESTAMP", true},
		{"1", "a*/ export const evil = 1; /*\n", `x"; evil: "`, "BYTES", false},
		{"é", "é", "é", "MAP(INT, INT)", false},
	}
	const want = `
/** app.chat_messages */
export interface AppChatMessages {
	id: bigint;
	price: string | null;
	meta: unknown;
}

/** app_chat.messages */
export interface AppChatMessages_2 {
	new: Date | null;
}

/** 1.a?/ export const evil = 1; /?? */
export interface T1AExportConstEvil1 {
	"x\"; evil: \"": Uint8Array;
}

/** é.é */
export interface T {
	"é": unknown;
}

/** The tables by their names. */
export interface Tables {
	"app.chat_messages": AppChatMessages;
	"app_chat.messages": AppChatMessages_2;
	"1.a*/ export const evil = 1; /*\n": T1AExportConstEvil1;
	"é.é": T;
}
`
	var b strings.Builder
	if err := tstypes.Write(&b, columns); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "_deleted: boolean;\n}\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestNothing(t *testing.T) {
	var b strings.Builder
	if err := tstypes.Write(&b, nil); err != nil || !strings.HasSuffix(b.String(), "export interface Tables {\n}\n") {
		t.Errorf("%v, %s", err, b.String())
	}
	if err := tstypes.Write(broken{}, nil); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
