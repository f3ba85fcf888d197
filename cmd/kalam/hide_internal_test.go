package main

import "testing"

func TestSecretFrom(t *testing.T) {
	args := []string{"-u", "ann", "--password", "one", "--token=two", "-c", "--password", "--apikey", "three", "--json"}
	secret := ""
	for i, a := range args {
		secret += a[secretFrom(args, i):] + ","
	}
	if secret != ",,,one,two,,,--apikey,three,," {
		t.Errorf("secret are %s", secret)
	}
}
