package link_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/link"
)

func TestSetup(t *testing.T) {
	done := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/api/auth/status":
			fmt.Fprintf(w, `{"needs_setup":%t,"message":"m"}`, done == "")
		case done != "":
			w.WriteHeader(409)
			fmt.Fprint(w, `{"error":"already_configured","message":"Server is already configured"}`)
		default:
			body, _ := io.ReadAll(r.Body) // A short body fails the comparison below.
			done = string(body)
			fmt.Fprint(w, `{"user":{"id":"ann"},"message":"done"}`)
		}
	}))
	defer s.Close()
	c, err := link.New(link.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if needs, err := c.NeedsSetup(within(t)); !needs || err != nil {
		t.Errorf("needs %t, %v", needs, err)
	}
	setup := link.Setup{User: "ann", Password: "one", RootPassword: "two"}
	if err := c.Setup(within(t), setup); err != nil || done != `{"user":"ann","password":"one","root_password":"two"}` {
		t.Errorf("sent %s, %v", done, err)
	}
	if needs, err := c.NeedsSetup(within(t)); needs || err != nil {
		t.Errorf("needs %t, %v", needs, err)
	}
	if err := c.Setup(within(t), setup); link.CodeOf(err) != "already_configured" {
		t.Errorf("again: %v", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", setup, setup, setup); strings.Contains(shown, "one") {
		t.Errorf("printed as %s", shown)
	}
}
