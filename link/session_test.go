package link_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam/link"
)

func TestTokensOfALogin(t *testing.T) {
	f := newFake(t)
	c := f.alice()
	if _, ok := c.Tokens(); ok {
		t.Error("tokens before the login")
	}
	if err := c.Login(within(t)); err != nil {
		t.Fatal(err)
	}
	got, ok := c.Tokens()
	want := link.Tokens{User: "alice", Access: "tok.en.1", Refresh: "refresh.1",
		Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), RefreshExpires: time.Date(2026, 2, 2, 3, 4, 5, 5e8, time.UTC)}
	if !ok || got != want {
		t.Errorf("got %s %s", got.User, got.Expires)
	}
	if shown := fmt.Sprintf("%v %+v %#v", got, got, &got); strings.Contains(shown, "tok.en") ||
		strings.Contains(shown, "refresh.1") {
		t.Errorf("printed as %s", shown)
	}
}

func TestSession(t *testing.T) {
	session := func(t *testing.T, tokens link.Tokens) link.Auth {
		a, err := link.Session(tokens)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	good := link.Tokens{Access: "tok.en.1", Refresh: "refresh.1"}
	t.Run("without a login", func(t *testing.T) {
		f := newFake(t)
		if _, err := f.client(link.Options{Auth: session(t, good)}).Query(within(t), "SELECT 1"); err != nil {
			t.Error(err)
		}
		if _, logins, renewals, _ := f.counts(); logins != 0 || renewals != 0 {
			t.Errorf("%d logins, %d renewals", logins, renewals)
		}
	})
	t.Run("expired", func(t *testing.T) {
		f := newFake(t)
		f.expire(false)
		c := f.client(link.Options{Auth: session(t, good)})
		if _, err := c.Query(within(t), "INSERT"); err != nil {
			t.Error(err)
		}
		if got, _ := c.Tokens(); got.Access != "tok.en.11" {
			t.Error("the new token is not kept")
		}
	})
	t.Run("no refresh token", func(t *testing.T) {
		f := newFake(t)
		f.expire(false)
		_, err := f.client(link.Options{Auth: session(t, link.Tokens{Access: "tok.en.1"})}).Query(within(t), "INSERT")
		if link.KindOf(err) != link.KindAuthentication {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refused refresh token", func(t *testing.T) {
		f := newFake(t)
		f.expire(true)
		_, err := f.client(link.Options{Auth: session(t, good)}).Query(within(t), "INSERT")
		if link.KindOf(err) != link.KindAuthentication || !strings.Contains(err.Error(), "log in again") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no JWT", func(t *testing.T) {
		if _, err := link.Session(link.Tokens{Access: "x"}); link.KindOf(err) != link.KindInvalidJWT {
			t.Errorf("got %v", err)
		}
	})
}

func TestRenewHook(t *testing.T) {
	f := newFake(t)
	a, err := link.Session(link.Tokens{Access: "tok.en.1", Refresh: "refresh.1"})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	hook := func(ctx context.Context, old link.Tokens,
		refresh func(context.Context) (link.Tokens, error)) (link.Tokens, error) {
		got, err := refresh(ctx)
		seen = append(seen, old.Access+" "+got.Access)
		return got, err
	}
	f.expire(false)
	if _, err := f.client(link.Options{Auth: a, Renew: hook}).Query(within(t), "INSERT"); err != nil || len(seen) != 1 ||
		seen[0] != "tok.en.1 tok.en.11" {
		t.Errorf("renewed %q, %v", seen, err)
	}
	// What another program has got is taken without a refresh.
	other := func(context.Context, link.Tokens, func(context.Context) (link.Tokens, error)) (link.Tokens, error) {
		return link.Tokens{Access: "tok.en.11"}, nil
	}
	if _, err := f.client(link.Options{Auth: a, Renew: other}).Query(within(t), "INSERT"); err != nil {
		t.Error(err)
	}
	refused := errors.New("disk full")
	failing := func(context.Context, link.Tokens, func(context.Context) (link.Tokens, error)) (link.Tokens, error) {
		return link.Tokens{}, refused
	}
	if _, err := f.client(link.Options{Auth: a, Renew: failing}).Query(within(t), "INSERT"); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	if _, _, renewals, _ := f.counts(); renewals != 1 {
		t.Errorf("%d renewals", renewals)
	}
}

func TestNoReconnect(t *testing.T) {
	f := newFake(t)
	c := f.client(link.Options{Auth: link.Password("alice", "secret"), NoReconnect: true})
	sub, err := c.Subscribe(within(t), liveSQL, link.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.sockets.dropAll()
	for range sub.Events() {
	}
	if link.KindOf(sub.Err()) != link.KindConnection && link.KindOf(sub.Err()) != link.KindWebSocket {
		t.Errorf("error %v", sub.Err())
	}
}
