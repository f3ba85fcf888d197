package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
)

const (
	// MaxFrame bounds the payload of a frame.
	MaxFrame = 64 << 20
	// MaxFiles bounds the files of a frame, and those that wait to be taken.
	MaxFiles   = 64
	headerSize = 10 // Length, kind, number of files, call.
	readSize   = 64 << 10
)

// Frame is a message. What kinds there are is the users' matter.
type Frame struct {
	Kind    byte
	Call    uint32 // Tells the calls apart that are under way on one connection.
	Payload []byte // Up to MaxFrame bytes; of one that was read, valid until the next Read.
	Files   []*os.File
}

// CloseFiles closes the files of a frame that was read and of which nothing is needed any more.
func (f Frame) CloseFiles() {
	for _, file := range f.Files {
		_ = file.Close() // Nothing was written through it.
	}
}

// Conn sends and receives frames. One goroutine may read while others write.
type Conn struct {
	conn *net.UnixConn

	writing sync.Mutex // guards header and the order of what is sent
	header  [headerSize]byte

	// What follows belongs to the reader.
	buf   []byte // Received, from pos on not taken yet.
	pos   int
	frame []byte
	files []*os.File
	oob   []byte
}

func newConn(c *net.UnixConn) *Conn {
	return &Conn{conn: c, buf: make([]byte, 0, readSize), oob: make([]byte, unix.CmsgSpace(4*MaxFiles))}
}

// Close closes the connection. A Read or Write under way fails.
func (c *Conn) Close() error { return c.conn.Close() }

// Write sends a frame, whole or with an error, after which the connection is of no
// use. The files stay the caller's. The payload is not kept.
func (c *Conn) Write(f Frame) error {
	if len(f.Payload) > MaxFrame || len(f.Files) > MaxFiles {
		return kalam.Errorf(kalam.CodeTooLarge, "a message of %d bytes and %d files is larger than a worker takes",
			len(f.Payload), len(f.Files))
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	binary.LittleEndian.PutUint32(c.header[:], uint32(len(f.Payload)))
	c.header[4], c.header[5] = f.Kind, byte(len(f.Files))
	binary.LittleEndian.PutUint32(c.header[6:], f.Call)
	if len(f.Files) > 0 {
		fds := make([]int, len(f.Files))
		for i, file := range f.Files {
			fds[i] = int(file.Fd())
		}
		// The files come with the header's first byte.
		if _, _, err := c.conn.WriteMsgUnix(c.header[:], unix.UnixRights(fds...), nil); err != nil {
			return fmt.Errorf("send files to a worker: %w", err)
		}
		_, err := c.conn.Write(f.Payload)
		return err
	}
	parts := net.Buffers{c.header[:], f.Payload}
	_, err := parts.WriteTo(c.conn)
	return err
}

// Read returns the next frame; io.EOF when the other side has closed the connection
// between two. After an error the connection is of no use. The files become the
// caller's.
func (c *Conn) Read() (Frame, error) {
	f, err := c.read()
	if err != nil {
		f.CloseFiles()
		Frame{Files: c.files}.CloseFiles()
		c.files = nil
	}
	return f, err
}

func (c *Conn) read() (f Frame, err error) {
	header, err := c.take(headerSize)
	if err != nil {
		return f, err
	}
	n, files := binary.LittleEndian.Uint32(header), int(header[5])
	f.Kind, f.Call = header[4], binary.LittleEndian.Uint32(header[6:])
	// Files are received with the first byte of their frame; with them may come what
	// was sent before.
	if n > MaxFrame || files > len(c.files) {
		return f, kalam.Errorf(kalam.CodeInternal, "a worker sent a message of %d bytes and %d files, of which %d came", n,
			files, len(c.files))
	}
	if files > 0 {
		f.Files, c.files = c.files[:files:files], c.files[files:]
	}
	if f.Payload, err = c.take(int(n)); errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return f, err
}

// Own returns the payload of f, the last frame that was read, as the caller's.
func (c *Conn) Own(f Frame) []byte {
	if len(f.Payload) > readSize {
		c.frame = nil
		return f.Payload
	}
	return append([]byte(nil), f.Payload...)
}

// take returns the next n bytes, valid until the next call of Read.
func (c *Conn) take(n int) ([]byte, error) {
	if len(c.buf)-c.pos >= n {
		c.pos += n
		return c.buf[c.pos-n : c.pos : c.pos], nil
	}
	if n <= readSize {
		return c.takeSmall(n)
	}
	if cap(c.frame) < n {
		c.frame = make([]byte, n)
	}
	have := copy(c.frame[:n], c.buf[c.pos:])
	c.buf, c.pos = c.buf[:0], 0
	for have < n {
		m, err := c.receive(c.frame[have:n])
		if err != nil {
			return nil, err
		}
		have += m
	}
	return c.frame[:n:n], nil
}

// takeSmall takes bytes through the buffer, which receives what follows them, too.
func (c *Conn) takeSmall(n int) ([]byte, error) {
	have := copy(c.buf[:cap(c.buf)], c.buf[c.pos:])
	c.buf, c.pos = c.buf[:have], 0
	for len(c.buf) < n {
		m, err := c.receive(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			if len(c.buf) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		c.buf = c.buf[:len(c.buf)+m]
	}
	c.pos = n
	return c.buf[:n:n], nil
}

// receive reads into b, and keeps the files that come.
func (c *Conn) receive(b []byte) (int, error) {
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(b, c.oob)
	if err != nil {
		return 0, err
	}
	if n == 0 && oobn == 0 {
		return 0, io.EOF
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return 0, kalam.Errorf(kalam.CodeInternal, "a worker sent more files than are taken")
	}
	if oobn == 0 {
		return n, nil
	}
	messages, err := unix.ParseSocketControlMessage(c.oob[:oobn])
	if err != nil {
		return 0, fmt.Errorf("read the files of a message: %w", err)
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return 0, fmt.Errorf("read the files of a message: %w", err)
		}
		for _, fd := range fds {
			c.files = append(c.files, os.NewFile(uintptr(fd), "shared"))
		}
		if len(c.files) > 2*MaxFiles {
			return 0, kalam.Errorf(kalam.CodeInternal, "a worker sent %d files that no message has", len(c.files))
		}
	}
	return n, nil
}
