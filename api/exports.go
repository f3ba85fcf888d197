package api

import (
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/link/wire"
)

const (
	// downloadPace is the least speed of a download, bytes a second: slower ones are cut.
	downloadPace = 32 << 10
	// downloadSlack is the time that each download has beside.
	downloadSlack = time.Minute
)

// errLoggedOut refuses a download without a valid token, or ends one whose token was ended.
var errLoggedOut = errors.New("there is no valid token")

// handleExport answers GET exports/{user}/{id}: the file of an export, to its user and to who may act
// for the user. To others it is not there.
func (s *Server) handleExport(c *fiber.Ctx) error {
	if !s.active.Begin() {
		c.Context().SetConnectionClose()
		s.rejected(fiber.StatusServiceUnavailable, string(wire.CodeShuttingDown))
		return c.Status(fiber.StatusServiceUnavailable).JSON(wire.ExportError{
			Error: "Server is shutting down", Code: wire.CodeShuttingDown,
		})
	}
	body, err := s.openExport(c)
	if err != nil {
		s.active.End()
		switch {
		case errors.Is(err, errLoggedOut):
			return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Authentication required")
		case kalam.CodeOf(err) == kalam.CodeNotFound:
			return c.Status(fiber.StatusNotFound).JSON(wire.ExportError{
				Error: "Export not found", Code: wire.CodeExportNotFound,
			})
		}
		return err
	}
	h := &c.Response().Header
	h.SetContentType("application/zip")
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="`+body.name+`"`)
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set("X-Checksum-Sha256", body.sha256)
	c.Context().SetConnectionClose() // Its deadline is not that of other requests.
	limit := downloadSlack + time.Duration(body.size/downloadPace)*time.Second
	if err := c.Context().Conn().SetWriteDeadline(time.Now().Add(limit)); err != nil {
		return errors.Join(err, body.Close())
	}
	c.Context().SetBodyStream(body, int(body.size)) // It closes the body.
	return nil
}

// openExport finds out who asks for which export, and opens its file.
func (s *Server) openExport(c *fiber.Ctx) (*download, error) {
	l, err := s.credentials(c)
	if err != nil {
		return nil, errLoggedOut
	}
	none := kalam.Errorf(kalam.CodeNotFound, "Export not found")
	if !access.Has(l.Principal, access.ExportData) { // An export holds more than the scopes of these credentials.
		return nil, none
	}
	name, err := url.PathUnescape(c.Params("user"))
	if err != nil {
		return nil, none
	}
	user, err := kalam.ParseUserID(strings.Clone(name))
	if err != nil {
		return nil, none
	}
	rank, there := s.engine.Catalog().RankOf(user)
	e := audit.Event{Action: audit.ActionDownload, Outcome: audit.OK, Subject: string(user),
		Target: strings.Clone(c.Params("id"))}
	if _, ok := access.ActFor(l.Principal, user, rank); !ok || !there {
		e.Outcome = audit.Denied
		s.note(c, l, e)
		return nil, none
	}
	f, err := s.engine.Exports().Find(c.Context(), user, strings.Clone(c.Params("id")))
	if err != nil {
		return nil, err
	}
	file, err := os.Open(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	s.note(c, l, e)
	return &download{
		file: file, name: f.Name, size: f.Bytes, sha256: f.SHA256, end: s.active.End,
		valid: func() bool { return s.identity.Valid(l) },
	}, nil
}

// download is the body of an answer: the file of an export, as long as the token is valid.
type download struct {
	file   *os.File
	name   string
	size   int64
	sha256 string
	valid  func() bool
	end    func()
	once   sync.Once
}

var _ io.ReadCloser = (*download)(nil)

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	if !d.valid() {
		return 0, errLoggedOut
	}
	return d.file.Read(p)
}

// Close implements io.Closer.
func (d *download) Close() error {
	err := d.file.Close()
	d.once.Do(d.end)
	return err
}
