package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/link/wire"
)

// conn is one keep-alive connection to the server with as little work of the
// client's own as possible, so that a measurement is the server's.
type conn struct {
	c      net.Conn
	r      *bufio.Reader
	host   string
	bearer string
	buf    []byte
}

func dial(base, token string) (*conn, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	return &conn{c: c, r: bufio.NewReaderSize(c, 64<<10), host: u.Host, bearer: token}, nil
}

func (c *conn) Close() error { return c.c.Close() }

// request returns the bytes of POST /v1/api/sql with the body.
func (c *conn) request(body []byte) []byte { return c.requestFor("", body) }

// requestFor is request for an answer of a media type, "" for JSON.
func (c *conn) requestFor(accept string, body []byte) []byte {
	b := append([]byte(nil),
		"POST /v1"+wire.PathSQL+" HTTP/1.1\r\nHost: "+c.host+"\r\nContent-Type: application/json\r\n"...)
	if c.bearer != "" {
		b = append(b, "Authorization: Bearer "+c.bearer+"\r\n"...)
	}
	if accept != "" {
		b = append(b, "Accept: "+accept+"\r\n"...)
	}
	b = append(b, "Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"...)
	return append(b, body...)
}

// do sends a prepared request and reads the whole answer; an answer that is no
// success is an error.
func (c *conn) do(request []byte) error {
	if _, err := c.c.Write(request); err != nil {
		return err
	}
	status, err := c.answer()
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %.300s", status, c.buf)
	}
	return nil
}

// answer reads status, headers and body; the body is in buf.
func (c *conn) answer() (status int, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("status line %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := -1, false
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		switch {
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(value); err != nil {
				return 0, err
			}
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = strings.EqualFold(value, "chunked")
		}
	}
	if chunked {
		return status, c.chunks()
	}
	if length < 0 {
		return 0, fmt.Errorf("answer without length")
	}
	return status, c.body(length)
}

func (c *conn) body(n int) error {
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	_, err := io.ReadFull(c.r, c.buf)
	return err
}

func (c *conn) chunks() error {
	whole := c.buf[:0]
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		have := len(whole)
		whole = slices.Grow(whole, int(n)+2)[:have+int(n)+2]
		if _, err := io.ReadFull(c.r, whole[have:]); err != nil {
			return err
		}
		whole = whole[:have+int(n)]
		if n == 0 {
			c.buf = whole
			return nil
		}
	}
}

// sqlBody is the body of a request.
func sqlBody(sql string, params ...any) []byte {
	b, err := json.Marshal(map[string]any{"sql": sql, "params": params})
	if err != nil {
		panic(err) // Strings and numbers always encode.
	}
	return b
}

// exec runs one statement and returns its answer.
func (c *conn) exec(sql string, params ...any) (*wire.Response, error) {
	if err := c.do(c.request(sqlBody(sql, params...))); err != nil {
		return nil, fmt.Errorf("%.100s: %w", sql, err)
	}
	var r wire.Response
	if err := json.Unmarshal(c.buf, &r); err != nil {
		return nil, fmt.Errorf("%.100s: %w", sql, err)
	}
	return &r, nil
}

// login returns an access token.
func login(base, user, password string) (string, error) {
	//nolint:gosec // The password is what a login sends.
	body, err := json.Marshal(wire.LoginRequest{User: user, Password: password})
	if err != nil {
		return "", err
	}
	resp, err := http.Post(base+"/v1"+wire.PathLogin, "application/json", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var r wire.LoginResponse
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return "", err
	}
	if r.AccessToken == "" {
		return "", fmt.Errorf("login of %s: status %d", user, resp.StatusCode)
	}
	return r.AccessToken, nil
}
