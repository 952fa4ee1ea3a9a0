package conformance

import (
	"flag"
	"log/slog"
	"os"
	"testing"
)

var (
	histories = flag.Int("histories", 1000, "how many histories there are of each kind of object")
	theSeed   = flag.Uint64("seed", 0, "make all histories of this seed")
)

// TestMain silences the warning about functions that took longer than their timeout and
// succeeded. Here that is what half the timeouts are for.
func TestMain(m *testing.M) {
	flag.Parse()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
