package api

import (
	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/api/results"
)

// packing compresses a response as its client asked for.
type packing struct{ *results.Packing }

func packingOf(c *fiber.Ctx) packing {
	c.Response().Header.Add(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	return packing{results.NewPacking(c.Get(fiber.HeaderAcceptEncoding))}
}

// mark says in the response how its body is encoded.
func (p packing) mark(c *fiber.Ctx) {
	if p.Encoding() != "" {
		c.Response().Header.Set(fiber.HeaderContentEncoding, p.Encoding())
	}
}

// whole returns a document that is sent at once, compressed if that is worth it.
func (p packing) whole(c *fiber.Ctx, body []byte) []byte {
	body, compressed := p.Whole(body)
	if compressed {
		p.mark(c)
	}
	return body
}
