package debug

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Config{
		"":                         {},
		"schedtrace":               {SchedTrace: true},
		" traptrace , logcrash,":   {TrapTrace: true, LogCrash: true},
		"longblock":                {LongBlock: 50 * time.Millisecond},
		"longblock=1m":             {LongBlock: time.Minute},
		"filter=a b,filter=c*":     {Tasks: []string{"a b", "c*"}},
		"schedtrace,level=debug":   {SchedTrace: true, Level: slog.LevelDebug},
		"filter=f=1,level=ERROR+2": {Tasks: []string{"f=1"}, Level: slog.LevelError + 2},
	} {
		if got, wrong := parse(text); !reflect.DeepEqual(got, want) || len(wrong) > 0 {
			t.Errorf("%q: %+v, and not understood %q", text, got, wrong)
		}
	}
	for _, text := range []string{
		"longblock=soon", "longblock=", "longblock=-1s", "longblock=0s", "schedtrace=yes", "level=loud", "level", "filter", "filter=",
		"sched", "=x", "SCHEDTRACE", "\x00", strings.Repeat("x", 100_000),
	} {
		c, wrong := parse(text + ",logcrash")
		if len(wrong) != 1 || !reflect.DeepEqual(c, Config{LogCrash: true}) {
			t.Errorf("%.20q: %+v, and not understood %.100q", text, c, wrong)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("schedtrace,longblock=50ms,filter=name,level=warn")
	f.Fuzz(func(t *testing.T, text string) {
		c, _ := parse(text)
		c.wants("name")
		if c.LongBlock < 0 {
			t.Error(c.LongBlock)
		}
	})
}
