package monitor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/curio-go/curio"
)

// An Option changes how a monitor works. See [On] and [Handler].
type Option interface{ applyTo(s *settings) }

type option func(*settings)

func (o option) applyTo(s *settings) { o(s) }

// settings are what the options have set.
type settings struct {
	changes bool
	token   string
	given   bool // the token was given, even if it is empty
	open    bool
	hosts   []string
	level   *slog.LevelVar
	kernels []*curio.Kernel
	logger  *slog.Logger
}

func apply(opts []Option) *settings {
	s := new(settings)
	for _, o := range opts {
		o.applyTo(s)
	}
	return s
}

// AllowChanges allows commands that change something: cancelling a task, sending the process a
// signal, setting the level of its log. Without it they are refused. With it, they still need the
// token, or a Unix socket.
func AllowChanges() Option { return option(func(s *settings) { s.changes = true }) }

// Token sets the token that a client must give on TCP and to a [Handler]. It has at least 16
// characters, which are ASCII letters, digits and other visible characters. Without this option,
// [On] makes a random one. The token must not be known to other users of the machine, so do not pass
// it as an argument of a command.
func Token(token string) Option {
	return option(func(s *settings) { s.token, s.given = token, true })
}

// OpenReading lets all clients read without the token: on loopback, each user of the machine. Web
// pages of other sites still cannot, and changes still need the token.
func OpenReading() Option { return option(func(s *settings) { s.open = true }) }

// Hosts adds names under which the monitor is reached over HTTP, as in the Host header, without a
// port. A request with any other name than these, localhost and the loopback addresses is refused,
// because a web page can make the name of its own server resolve to this machine. A [Handler] that
// is reached under another name needs this option.
func Hosts(names ...string) Option {
	return option(func(s *settings) { s.hosts = append(s.hosts, names...) })
}

// LogLevel gives the monitor the level of the program's log. If changes are allowed, the command log
// sets it.
func LogLevel(level *slog.LevelVar) Option { return option(func(s *settings) { s.level = level }) }

// Kernel makes the monitor show the tasks of the given kernel. It may be given several times, for
// several kernels. Without it, the tasks of all kernels of the process are shown.
func Kernel(k *curio.Kernel) Option {
	return option(func(s *settings) { s.kernels = append(s.kernels, k) })
}

// Logger makes the monitor log to l instead of slog.Default(). It logs each change that a client has
// made, but never the token. If the log's handler hangs, only the first 16 changes are logged. A
// signal is logged before it is sent, unless that takes longer than 100 milliseconds.
func Logger(l *slog.Logger) Option { return option(func(s *settings) { s.logger = l }) }

// shortestToken is what a token needs that nobody is to guess. A random one has 26 letters and digits.
const shortestToken = 16

// checkToken refuses a token that was given and will not do.
func (s *settings) checkToken() error {
	switch {
	case !s.given:
		return nil
	case len(s.token) < shortestToken:
		return fmt.Errorf("curio/monitor: the token has %d bytes; it needs at least %d", len(s.token), shortestToken)
	case strings.ContainsFunc(s.token, func(r rune) bool { return r <= ' ' || r > '~' }): // no word of a line or a header
		return errors.New("curio/monitor: the token has spaces or characters that are not ASCII")
	}
	return nil
}

func newToken() string { return rand.Text() }

// isToken reports whether the token is right, in a time that does not depend on what is wrong with it.
func (s *settings) isToken(token string) bool {
	a, b := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && s.token != ""
}
