package monitor

import (
	"context"
	"errors"
	"log/slog"
	"os"
)

// The environment variables.
const (
	addressVariable = "CURIO_MONITOR"
	tokenVariable   = "CURIO_MONITOR_TOKEN"
)

// tokenOfEnvironment takes the token of the environment, if none was given.
func (s *settings) tokenOfEnvironment() {
	if token := os.Getenv(tokenVariable); token != "" && !s.given {
		s.token, s.given = token, true
	}
}

func init() {
	if addr := os.Getenv(addressVariable); addr != "" {
		onByEnvironment(addr)
	}
}

// onByEnvironment starts a monitor that nothing stops but the end of the process. Child processes inherit the variable, so
// the address may well be in use: what goes wrong is a warning, as the program has something else to do.
func onByEnvironment(addr string) *Server {
	if _, unix := socketPath(addr); !unix && os.Getenv(tokenVariable) == "" {
		warn(addr, errors.New("a TCP address needs a token in "+tokenVariable+"; or use a path, for a Unix socket"))
		return nil
	}
	s, err := On(addr)
	if err != nil {
		warn(addr, err)
		return nil
	}
	slog.LogAttrs(context.Background(), slog.LevelInfo, "curio/monitor: listening", slog.String("addr", s.Addr()))
	return s
}

func warn(addr string, err error) {
	slog.LogAttrs(context.Background(), slog.LevelWarn, "curio/monitor: there is no monitor", slog.String("addr", addr), slog.Any("err", err))
}
