package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout bounds one question to the server.
const healthTimeout = 3 * time.Second

// healthEvery is how long a wait for a server pauses between two questions.
const healthEvery = 100 * time.Millisecond

// healthCommand returns `kalamd health`. It takes the configuration of the server
// that it asks, so that a container's health check needs no address.
func healthCommand() *cobra.Command {
	var f flags
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "health", Short: "Ask a running server how it is; the exit code is 0 if it serves", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := load(f, os.Environ())
			if err != nil {
				return err
			}
			if s.Config.Server.Port == 0 {
				return errors.New("the configured port is 0: name the server by --listen HOST:PORT")
			}
			url := "http://" + reachable(s.Config.Server.Host, s.Config.Server.Port)
			ctx, cancel := context.WithTimeout(cmd.Context(), wait+healthTimeout)
			defer cancel()
			return awaitHealth(ctx, url, wait, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.config, "config", "",
		"configuration file of the server (default $KALAM_CONFIG, then ./config.toml if there is one)")
	cmd.Flags().StringVar(&f.listen, "listen", "", "address of the server, HOST:PORT (server.host, server.port)")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a server that starts, for instance 30s")
	return cmd
}

// reachable returns the address under which this machine reaches a server that
// listens on host and port: the unspecified address stands for all of them.
func reachable(host string, port int) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// awaitHealth asks the server at url until it serves or wait has passed, and
// prints what it said. The error is that of the last question.
func awaitHealth(ctx context.Context, url string, wait time.Duration, out io.Writer) error {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		text, err := askHealth(ctx, url)
		if err == nil {
			_, err = fmt.Fprintln(out, text)
			return err
		}
		select {
		case <-deadline.C:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(min(healthEvery, wait)):
		}
	}
}

// askHealth returns what the server at url says of itself, or why it does not
// serve: it is not there, or it shuts down.
func askHealth(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/health", nil)
	if err != nil {
		return "", fmt.Errorf("ask %s: %w", url, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("no server answers: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Status  string `json:"status"`
		Version string `json:"version"`
		Uptime  int64  `json:"uptime_seconds"`
		Reason  string `json:"reason"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&answer); err != nil || answer.Status == "" {
		return "", fmt.Errorf("%s is not a kalam server (HTTP status %d)", url, res.StatusCode)
	}
	text := fmt.Sprintf("%s, version %s, up %s", answer.Status, answer.Version, time.Duration(answer.Uptime)*time.Second)
	if answer.Reason != "" {
		text += ": " + answer.Reason
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, text)
	}
	return text, nil
}
