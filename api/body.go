package api

import (
	"errors"
	"io"
	"mime"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/link/wire"
)

// errBodyTooLarge says that a body is over its limit.
var errBodyTooLarge = errors.New("request body exceeds maximum allowed size")

// hasBody reports whether a request has a body to read.
func hasBody(c *fiber.Ctx) bool {
	n := c.Request().Header.ContentLength()
	return n > 0 || n == -1
}

// setLinger makes the connection wait, when it is closed, for what the client is
// still sending.
func setLinger(c *fiber.Ctx, on bool) {
	if nc, ok := c.Context().Conn().(*conn); ok {
		nc.linger = on
	}
}

// readBody reads the body, at most limit bytes, growing as they come: a client
// that promises much and sends little costs little. A body that was read to its
// end lets the connection live on.
func readBody(c *fiber.Ctx, limit int) ([]byte, error) {
	stream := c.Context().RequestBodyStream()
	if !hasBody(c) || stream == nil {
		return nil, nil
	}
	n := c.Request().Header.ContentLength()
	if n > limit {
		return nil, errBodyTooLarge
	}
	buf := make([]byte, 0, min(max(n, 512), 64<<10))
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		m, err := stream.Read(buf[len(buf):min(cap(buf), limit+1)])
		buf = buf[:len(buf)+m]
		if len(buf) > limit {
			return nil, errBodyTooLarge
		}
		if errors.Is(err, io.EOF) || err == nil && len(buf) == n {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if n >= 0 && len(buf) < n {
		return nil, io.ErrUnexpectedEOF
	}
	setLinger(c, false)
	if !c.Request().Header.ConnectionClose() {
		c.Response().Header.ResetConnectionClose()
	}
	return buf, nil
}

// maxUnwanted is the size up to which the body of a refused request is read, so
// that its connection can be used again.
const maxUnwanted = 64 << 10

// skipBody reads the body of a request that was refused before it was read.
func skipBody(c *fiber.Ctx) {
	// A body that is longer, or does not come, ends the connection.
	_, _ = readBody(c, maxUnwanted)
}

// checkContent wants a JSON body without compression.
func checkContent(c *fiber.Ctx) *requestError {
	if given := c.Get(fiber.HeaderContentType); given != fiber.MIMEApplicationJSON {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != fiber.MIMEApplicationJSON {
			return badRequest(wire.CodeInvalidInput, "Content-Type must be application/json")
		}
	}
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && encoding != "identity" {
		return badRequest(wire.CodeInvalidInput, "Compressed request bodies are not supported")
	}
	return nil
}

// refuseBody answers a request whose body could not be read. size is what the
// request says about it, below 0 when it says nothing.
func refuseBody(c *fiber.Ctx, err error, limit int) error {
	if !errors.Is(err, errBodyTooLarge) {
		return plain(c, fiber.StatusBadRequest, wire.PlainError{Error: string(wire.CodeInvalidInput),
			Message: "The request body did not arrive"})
	}
	return plain(c, fiber.StatusRequestEntityTooLarge, wire.PlainError{
		Error: string(wire.CodeBodyTooLarge), Message: "Request body exceeds maximum allowed size",
		SizeBytes: max(0, int64(c.Request().Header.ContentLength())), MaxBytes: int64(limit),
	})
}
