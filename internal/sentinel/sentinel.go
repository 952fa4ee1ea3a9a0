// Package sentinel makes errors for errors.Is that are more than a text. They are made by functions,
// so that the documentation of a package shows no type that its readers cannot know.
package sentinel

import (
	"context"
	"os"
)

// Timeout returns an error that is os.ErrDeadlineExceeded as well, and a timeout to package net.
func Timeout(text string) error { return timeout(text) }

type timeout string

func (e timeout) Error() string        { return string(e) }
func (e timeout) Timeout() bool        { return true }
func (e timeout) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Deadline returns an error that is context.DeadlineExceeded as well.
func Deadline(text string) error { return deadline(text) }

type deadline string

func (e deadline) Error() string        { return string(e) }
func (e deadline) Is(target error) bool { return target == context.DeadlineExceeded }

// PeersDoing returns an error about something that the other side of a connection has done. Package
// network looks for the method of that name, so that a server does not take it for its own fault.
func PeersDoing(text string) error { return peersDoing(text) }

type peersDoing string

func (e peersDoing) Error() string    { return string(e) }
func (e peersDoing) PeersDoing() bool { return true }
