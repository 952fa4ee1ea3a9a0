package browser_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/curio-go/curio/internal/quote"
	"github.com/curio-go/curio/internal/testutil"
)

// hostile are names that users and the network send.
var hostile = []string{
	`<img src=x onerror="window.taken=1">`,
	`</script><script>window.taken=1</script>`,
	`"><svg onload=window.taken=1>`,
	`javascript:window.taken=1`,
	"&lt;b&gt;&amp;",
	"\x1b[2J\x1b]0;title\x07red",
	"line\nfeed\r\ttab\x00nul",
	"safe\u202egnp.exe\u2066\u2069\u200f",
	"c1\u009b31m\u0085next",
	"zero\u200bwidth\u200djoiner\ufeff\u00ad\u3164\u2800\u180b",
	"two\u2028lines\u2029here",
	strings.Repeat("long", 60_000),
	"z" + strings.Repeat("\u0301", 400),
	"\u0301\u0301 first",
	"\u05d0\u05d1\u05d2 (7) \u0627\u0644",
	"名前 ＷＩＤＥ 🙂 é \U000e0041 \U0010ffff \ue000",
	`back\slash \u202e`,
	"\u00a0\u2003\u3000",
	"",
	"  ",
	"__proto__",
	"constructor",
	"${taken}{{7*7}}%s%n",
}

// The page quotes by the rules that all text output has.
func TestQuotesAlike(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	b := showing(t, newStub(t, family()...))
	var texts, want []string
	for _, text := range hostile {
		if len(text) < 10_000 {
			texts, want = append(texts, text), append(want, quote.Text(text, 0))
		}
	}
	for _, plane := range []rune{0, 0x300, 0x600, 0x1100, 0x2000, 0x2600, 0x3000, 0xd700, 0xe000, 0xfe00, 0xff00, 0x1f600, 0xe0000, 0xe0100} {
		for r := plane; r < plane+0x100; r++ {
			if !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co) || unicode.Is(unicode.Cs, r) {
				continue // a newer Unicode may have it, or there is no text with it
			}
			text := "a" + string(r) + "b"
			texts, want = append(texts, text), append(want, quote.Text(text, 0))
		}
	}
	got := value[[]string](b, js(`%v.map((text) => visible(text, 1e6))`, texts))
	for i, text := range texts {
		if got[i] != want[i] {
			t.Errorf("%q is shown as %q, not as %q", text, got[i], want[i])
		}
	}
}

// Names, objects, places and errors are text, wherever they are shown.
func TestHostileText(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	var tasks []task
	var circle []stuck
	for i, name := range hostile {
		id := i + 1
		tasks = append(tasks, task{
			ID: id, Name: name, Path: "main/" + name, Kernel: 1, Kind: name, State: name, Spawned: name,
			Waits: []waiting{{Op: name, Object: name, On: []int{1, id}}}, Waiting: new(float64(1)),
			Cancelled: &cancellation{By: name, Where: name, Reason: name},
		})
		circle = append(circle, stuck{ID: id, Name: name, Op: name, Object: name, Where: name})
	}
	s := newStub(t, tasks...)
	s.deadlocks = []deadlock{{Circle: circle}}
	b := showing(t, s)
	for i, name := range hostile {
		id := i + 1
		b.do(js(`choose(%v, false)`, id))
		b.has("#pane-title", fmt.Sprintf("(%d)", id))
		b.do(`showWhy()`)
		b.until(`!document.getElementById("why-part").hidden`)
		b.do(`void (confirmCancel(), document.getElementById("confirm").close())`)
		if got := s.count("POST"); got != 0 {
			t.Fatalf("%q has cancelled something", name)
		}
		if bad := value[string](b, `(/[^\n\P{C}]|[\u2028\u2029]/u.exec(document.body.textContent.replace(document.querySelector("script").textContent, "")) ?? [""])[0]`); bad != "" {
			t.Errorf("with %.40q there is %+q in the page", name, bad)
		}
	}
	if value[bool](b, `"taken" in window || document.querySelector("#rows img, #rows script, #rows svg, #rows b, aside img, aside svg, aside script, #circles img") !== null`) {
		t.Error("text has become a part of the page")
	}
	b.until(`document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight`)
	heights := value[[]float64](b, `[...new Set([...document.querySelectorAll("#rows .row")].map((row) => row.getBoundingClientRect().height))]`)
	if len(heights) != 1 {
		t.Errorf("rows have the heights %v: a name changes the table", heights)
	}

	// The name goes back as it came.
	for _, i := range []int{0, 5, 7, 11} {
		n := s.count("POST")
		b.do(js(`void (choose(%v, false), confirmCancel(), document.getElementById("sure").click())`, i+1))
		testutil.Await(t, "a request", func() bool { return s.count("POST") > n }) // the note may still be about the one before
		b.has("#note", "Cancelled main/")
		if got := s.last("POST").body; got != hostile[i] {
			t.Errorf("the name %.40q goes back as %.40q", hostile[i], got)
		}
	}
}
