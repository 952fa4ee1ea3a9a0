package browser_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/curio-go/curio/internal/testutil"
)

// A tab is a page in a browser of its own.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string // exceptions, and what the page did that its policy forbids
}

// newTab starts Chromium. At the end of the test the page must have had no exception, and must have done nothing that the
// content security policy forbids. The names that end in .test lead to this machine.
func newTab(t testing.TB) *tab {
	t.Helper()
	testutil.Need(t, "chromium")
	profile, err := os.MkdirTemp("", "curio-browser")
	must(t, err)
	// Processes of the browser may end a little later than the first of them, and write until then.
	t.Cleanup(func() { testutil.Eventually(func() bool { return os.RemoveAll(profile) == nil }) })

	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(profile),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
	}
	for _, name := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-default-apps",
		"disable-extensions", "disable-dev-shm-usage", "hide-scrollbars", "mute-audio",
	} {
		options = append(options, chromedp.Flag(name, true))
	}
	all, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	b := &tab{t: t}
	ctx, closeTab := chromedp.NewContext(all, chromedp.WithListener(b.notice))
	t.Cleanup(closeTab)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // which waits for the browser to end

	b.ctx = ctx
	must(t, chromedp.Do(ctx)) // starts the browser, which ends with the context of this call
	t.Cleanup(b.check)
	return b
}

// notice collects what has gone wrong in the page. What the network refuses is the business of the tests.
func (b *tab) notice(event any) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			problem = fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	}
	if problem != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.problems = append(b.problems, problem)
	}
}

func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.problems) > 0 {
		b.t.Errorf("the page went wrong:\n%s", strings.Join(b.problems, "\n"))
	}
}

// forgive drops what has gone wrong so far: in a page that is meant to do what is forbidden.
func (b *tab) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = nil
}

// run runs an action, for as long as a test has patience.
func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, testutil.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	must(b.t, err)
	return v
}

func (b *tab) open(url string) {
	b.t.Helper()
	run(b, chromedp.Navigate(url))
}

// js is an expression of JavaScript in which each %v stands for a value.
func js(format string, args ...any) string {
	texts := make([]any, len(args))
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			panic(err)
		}
		texts[i] = string(text)
	}
	return fmt.Sprintf(format, texts...)
}

// value is the value of an expression of JavaScript in the page, a promise's when it is settled.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// do evaluates an expression for what it does.
func (b *tab) do(expression string) {
	b.t.Helper()
	value[chromedp.Void](b, expression)
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	met := func() bool { return value[bool](b, "(async () => Boolean(await ("+expression+")))()") }
	if !testutil.Eventually(met) {
		b.t.Fatalf("it did not become true within %v: %s\n\nThe page shows:\n%s", testutil.Patience, expression, b.shown())
	}
}

// shown is the text of the page.
func (b *tab) shown() string { return value[string](b, "document.body.innerText") }

// text is the text of an element in view, "" if it is hidden.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return value[string](b, js("document.querySelector(%v)?.innerText ?? ''", selector))
}

// has waits until an element has a text in it.
func (b *tab) has(selector, text string) {
	b.t.Helper()
	b.until(js("document.querySelector(%v)?.innerText.includes(%v)", selector, text))
}

// press presses keys, each a character or one of package kb.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, key := range strings.Join(keys, "") {
		known, ok := kb.Keys[key]
		if !ok {
			known = &kb.Key{Key: string(key), Text: string(key), Unmodified: string(key)}
		}
		down := input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeRawKeyDown, Key: known.Key, Code: known.Code, Text: known.Text, UnmodifiedText: known.Unmodified,
			WindowsVirtualKeyCode: known.Windows, NativeVirtualKeyCode: known.Native,
		}
		if known.Text != "" {
			down.Type = input.DispatchKeyEventTypeKeyDown // and the character, if the page does not prevent it
		}
		up := down
		up.Type, up.Text, up.UnmodifiedText = input.DispatchKeyEventTypeKeyUp, "", ""
		for _, event := range []input.DispatchKeyEventParams{down, up} {
			_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, event)
			must(b.t, err)
		}
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	run(b, chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	run(b, chromedp.EmulateViewport(width, height))
}

// scheme has the page prefer "light" or "dark".
func (b *tab) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	must(b.t, err)
}

// picture is what the tab looks like, as PNG.
func (b *tab) picture() []byte {
	b.t.Helper()
	return run(b, chromedp.CaptureScreenshot())
}
