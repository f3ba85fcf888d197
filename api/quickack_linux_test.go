package api_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSmallWrites subscribes as a client whose kernel holds back the second part of a
// frame until the first is acknowledged. A delayed acknowledgement takes 40 ms.
func TestSmallWrites(t *testing.T) {
	h, alice := live(t, setup{})
	c := h.dial()
	if err := c.Conn.(*net.TCPConn).SetNoDelay(false); err != nil {
		t.Fatal(err)
	}
	c.write("GET /v1/ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + alice + "\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = c.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	c.frame() // auth_success
	var took []time.Duration
	for i := range 15 {
		begin := time.Now()
		c.writeInParts(fmt.Sprintf(`{"type":"subscribe","subscription":{"id":"s%d","sql":"SELECT * FROM app.notes"}}`, i))
		if f := c.frame(); !strings.Contains(f, "subscription_ack") {
			t.Fatalf("got %s", f)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 25*time.Millisecond {
		t.Errorf("a subscription takes %v: the server delays its acknowledgements", median)
	}
}

// writeInParts sends a text frame: its header, its mask and its payload by themselves.
func (r *raw) writeInParts(text string) {
	header := []byte{0x81, 0x80 | 126, 0, 0}
	binary.BigEndian.PutUint16(header[2:], uint16(len(text)))
	r.write(string(header))
	r.write("\x00\x00\x00\x00")
	r.write(text)
}

// frame reads one frame of the server, of less than 64 KiB.
func (r *raw) frame() string {
	r.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(r.r, head); err != nil {
		r.t.Fatal(err)
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(r.r, head); err != nil {
			r.t.Fatal(err)
		}
		n = int(binary.BigEndian.Uint16(head))
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r.r, text); err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}
