package debug

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
)

// variable is the environment variable that begins a trace.
const variable = "CURIO_DEBUG"

// usualBlock is the limit of "longblock" without a value, as in Python's Curio.
const usualBlock = 50 * time.Millisecond

func init() {
	text := os.Getenv(variable)
	if text == "" {
		return
	}
	c, wrong := parse(text)
	for _, w := range wrong {
		slog.Warn("curio: "+variable+" has something that is not understood", "wrong", w)
	}
	if c.traces() || c.LogCrash || c.LongBlock > 0 {
		Start(c)
	}
}

// parse returns what text, the value of the variable, asks for. wrong says what is not understood.
func parse(text string) (c Config, wrong []string) {
	for word := range strings.SplitSeq(text, ",") {
		name, value, has := strings.Cut(strings.TrimSpace(word), "=")
		if err := c.set(name, value, has); err != nil {
			wrong = append(wrong, fmt.Sprintf("%q: %v", word, err))
		}
	}
	return c, wrong
}

// set does what one word says.
func (c *Config) set(name, value string, has bool) error {
	switch name {
	case "schedtrace", "traptrace", "logcrash":
		if has {
			return fmt.Errorf("%s has no value", name)
		}
		c.SchedTrace = c.SchedTrace || name == "schedtrace"
		c.TrapTrace = c.TrapTrace || name == "traptrace"
		c.LogCrash = c.LogCrash || name == "logcrash"
	case "longblock":
		limit := usualBlock
		if has {
			d, err := time.ParseDuration(value)
			if err != nil || d <= 0 {
				return fmt.Errorf("longblock is a positive duration, such as 50ms")
			}
			limit = d
		}
		c.LongBlock = limit
	case "filter":
		if value == "" {
			return fmt.Errorf("filter is the name of a task")
		}
		c.Tasks = append(c.Tasks, value)
	case "level":
		var level slog.Level
		if err := level.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("level is debug, info, warn or error")
		}
		c.Level = level
	case "":
		if has {
			return fmt.Errorf("a word is missing")
		}
	default:
		return fmt.Errorf("not one of schedtrace, traptrace, logcrash, longblock, filter, level")
	}
	return nil
}
