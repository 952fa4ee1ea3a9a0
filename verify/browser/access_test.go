package browser_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"

	"github.com/curio-go/curio/internal/testutil"
)

// access is what a screen reader gets of the page: a line for each part, with its role, its name and what is said of it.
func (b *tab) access() (lines []string) {
	b.t.Helper()
	tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	must(b.t, err)
	text := func(v *accessibility.Value) (s string) {
		if v != nil {
			_ = json.Unmarshal(v.Value, &s) // another type is no text
		}
		return s
	}
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		var line strings.Builder
		line.WriteString(text(node.Role) + " " + text(node.Name))
		for _, p := range node.Properties {
			if slices.Contains([]string{"level", "expanded", "selected", "focused", "modal"}, string(p.Name)) {
				line.WriteString(" " + string(p.Name) + "=" + string(p.Value.Value))
			}
		}
		lines = append(lines, strings.TrimSpace(line.String()))
	}
	return lines
}

func (b *tab) hears(want ...string) {
	b.t.Helper()
	var heard []string
	for _, w := range want {
		if !testutil.Eventually(func() bool {
			heard = b.access()
			return slices.ContainsFunc(heard, func(s string) bool { return strings.HasPrefix(s, w) })
		}) {
			b.t.Errorf("a screen reader does not get %q, but\n%s", w, strings.Join(heard, "\n"))
		}
	}
}

// The tree is a tree for a screen reader, too, and what can be pressed has a name.
func TestScreenReader(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	b := showing(t, newStub(t, family()...))
	b.focusRow(2)
	b.hears(
		"RootWebArea chat (4242) – Curio monitor", "search", "searchbox Filter", "button Pause", "button Keys", "main", "treegrid Tasks",
		"columnheader Waits for", "rowheader worker (3) daemon", "gridcell LOCK_ACQUIRE",
	)
	row := func(name string) string {
		lines := b.access()
		i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "row "+name) })
		if i < 0 {
			t.Fatalf("there is no row for %s:\n%s", name, strings.Join(lines, "\n"))
		}
		return lines[i]
	}
	for _, want := range []string{"ACCEPT", "level=2", "expanded=true", "focused=true", "selected=false"} {
		if got := row("server (2)"); !strings.Contains(got, want) {
			t.Errorf("the row is %q, without %q", got, want)
		}
	}
	b.press("s")
	b.hears("complementary server (2)", "button Why", "button Cancel…", "region Stack", "StaticText The stack of server (2) is shown.")
	if got := row("server (2)"); !strings.Contains(got, "selected=true") {
		t.Errorf("the row is %q, not selected", got)
	}
	b.press("c")
	b.hears("alertdialog Cancel server (2)? modal=true", "button Keep it running focused=true", "button Cancel server (2)")
	for _, line := range b.access() {
		role, name, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"button", "textbox", "searchbox", "dialog", "alertdialog", "region", "treegrid"}, role) && name == "" {
			t.Errorf("a %s has no name", role)
		}
	}
}
