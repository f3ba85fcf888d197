package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
)

// echoBytes is the length of a message: about that of a point read.
const echoBytes = 400

// runEcho answers one TCP connection with what it sends, until it is closed.
func runEcho() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Println(ln.Addr()); err != nil {
		return errors.Join(err, ln.Close())
	}
	c, err := ln.Accept()
	if err := errors.Join(err, ln.Close()); err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, echoBytes)
	for {
		if _, err := io.ReadFull(c, buf); err != nil {
			return nil // The other side is done.
		}
		if _, err := c.Write(buf); err != nil {
			return err
		}
	}
}

// echo is a connection to a process that does nothing but answer: what a round
// trip costs at least. Two idle processes take 0.03 or 0.2 ms for one on the
// machines we know, depending on whether each wakes a sleeping CPU.
type echo struct {
	net.Conn
	cmd *exec.Cmd
	buf []byte
}

func startEcho() (*echo, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	//nolint:gosec // The program itself.
	e := &echo{cmd: exec.Command(self, "echo"), buf: make([]byte, echoBytes)}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		e.Conn, err = net.Dial("tcp", strings.TrimSpace(line))
	}
	if err != nil {
		_ = e.cmd.Process.Kill() // It may have ended.
		_ = e.cmd.Wait()         // It ended by the signal, or for the reason that is told.
		return nil, fmt.Errorf("start the echo process: %w", err)
	}
	return e, nil
}

// roundTrip sends a message and waits for it to come back.
func (e *echo) roundTrip() error {
	if _, err := e.Write(e.buf); err != nil {
		return err
	}
	_, err := io.ReadFull(e.Conn, e.buf)
	return err
}

// Close ends the process too.
func (e *echo) Close() error {
	if err := e.Conn.Close(); err != nil {
		return err
	}
	return e.cmd.Wait()
}
