package browser_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/curio-go/curio/internal/testutil"
)

var screenshots = flag.String("screenshots", "", "write pictures of the page into this directory")

// contrasts lists the texts in view that are hard to read: less than 4.5 to 1 against what is behind them (WCAG 2, 1.4.3).
const contrasts = `(() => {
	const parse = (c) => { const n = c.match(/[\d.]+/g).map(Number); return { r: n[0], g: n[1], b: n[2], a: n[3] ?? 1 }; };
	const light = ({ r, g, b }) => {
		const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * x + 0.7152 * y + 0.0722 * z;
	};
	const behind = (node) => {
		for (; node; node = node.parentElement) {
			const c = parse(getComputedStyle(node).backgroundColor);
			if (c.a === 1) return c;
			if (c.a !== 0) return { r: NaN };
		}
		return { r: 255, g: 255, b: 255 };
	};
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), bad = [];
	while (walk.nextNode()) {
		const node = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.closest("script, style, .unseen, :disabled")) continue;
		const [x, y] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
		const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
		if (!(ratio >= 4.5)) bad.push(ratio.toFixed(2) + " " + walk.currentNode.data.slice(0, 40));
	}
	return bad;
})()`

// Each view of the page is readable in both schemes, and none is wider than the window. Its pictures are for people.
func TestLooks(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	tasks := family()
	for i := 10; i < 40; i++ {
		name := fmt.Sprintf("client-%d.example.org:%d", i, 40_000+i)
		tasks = append(tasks, task{
			ID: i, Name: name, Path: "main/server/" + name, Parent: 2, Kernel: 1, Kind: "task", State: "READ_WAIT", Cycles: i * i, Age: float64(i * 37),
			Spawned: "network/server.go:210", Waits: []waiting{{Op: "READ_WAIT", Object: fmt.Sprintf("fd %d 127.0.0.1:25000←10.0.3.%d:5%d12", i+10, i, i)}},
			Waiting: new(float64(i*i) / 9), Until: new(float64(60)), Group: true,
		})
	}
	s := newStub(t, tasks...)
	b := showing(t, s)
	views := []struct {
		name string
		show func()
	}{
		{"tree", func() { b.focusRow(2) }},
		{"pane", func() {
			b.focusRow(3)
			b.press("w")
			b.until(`!document.getElementById("why-part").hidden`)
			b.press("s")
			b.until(`!document.getElementById("stack-part").hidden`)
		}},
		{"cancel", func() {
			b.press("c")
			b.until(`document.getElementById("confirm").open`)
		}},
		{"help", func() {
			b.press(kb.Escape)
			b.focusRow(3)
			b.press("?")
			b.until(`document.getElementById("help").open`)
		}},
		{"deadlock", func() {
			b.press(kb.Escape)
			b.focusRow(3)
			b.press(kb.Escape)
			s.do(func() {
				s.deadlocks = []deadlock{{Behind: 1, Circle: []stuck{
					{ID: 3, Name: "worker", Op: "LOCK_ACQUIRE", Object: "Lock 0xc000124000(held by task main/server/handler-a (4), 1 waiting)", Where: "chat/main.go:71"},
					{ID: 4, Name: "handler-a", Op: "LOCK_ACQUIRE", Object: "Lock 0xc000124040(held by task main/worker (3), 1 waiting)", Where: "chat/main.go:82"},
				}}}
			})
			b.has("#deadlocks", "chat/main.go:82")
		}},
		{"lost", func() {
			s.do(func() { s.gone = true })
			b.has("#trouble", "Trying again")
		}},
		{"token", func() {
			s.do(func() { s.gone, s.deadlocks, s.token = false, nil, "sesame" })
			b.until(`!document.getElementById("login").hidden`)
		}},
		{"again", func() {
			b.do(`setToken("sesame")`)
			b.do(`void poll()`)
			b.until(`document.getElementById("login").hidden && document.getElementById("trouble").hidden && document.getElementById("deadlocks").hidden`)
		}},
	}
	for _, size := range []struct{ width, height int64 }{{1280, 800}, {400, 800}, {900, 600}, {320, 256}} {
		s.do(func() { s.token = "" })
		b.size(size.width, size.height)
		for _, view := range views {
			view.show()
			for _, scheme := range []string{"light", "dark"} {
				b.scheme(scheme)
				name := fmt.Sprintf("%dx%d-%s-%s", size.width, size.height, view.name, scheme)
				if bad := value[[]string](b, contrasts); len(bad) > 0 {
					t.Errorf("%s: hard to read: %q", name, bad)
				}
				if wide := value[int](b, "document.documentElement.scrollWidth"); wide > int(size.width) {
					t.Errorf("%s: the page is %d wide", name, wide)
				}
				if *screenshots != "" {
					must(t, os.WriteFile(filepath.Join(*screenshots, name+".png"), b.picture(), 0o644))
				}
			}
		}
		b.do(`void (setToken(""), sessionStorage.clear())`)
	}
}
