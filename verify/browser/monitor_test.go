package browser_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/monitor"
)

// token is what the monitors of these tests ask for.
const token = "the-token-of-the-tests"

// running runs main in a kernel until the end of the test.
func running(t testing.TB, main func(ctx context.Context) error) *curio.Kernel {
	t.Helper()
	k := curio.NewKernel()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = k.Run(ctx, main)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		must(t, k.Shutdown(context.Background()))
	})
	return k
}

// monitored starts the monitor of a kernel.
func monitored(t testing.TB, k *curio.Kernel, opts ...monitor.Option) *monitor.Server {
	t.Helper()
	s, err := monitor.On("127.0.0.1:0", append(opts, monitor.Kernel(k), monitor.Token(token), monitor.Logger(slog.New(slog.DiscardHandler)))...)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// planted are tasks that will never go on by themselves: two have a lock each and want the other one's, and the third waits
// for what one of them would put into a queue.
func planted(ctx context.Context) error {
	var inner, outer curio.Lock
	results := curio.NewQueue[int](1)
	haveInner, haveOuter := make(chan struct{}), make(chan struct{})
	both := func(first, second *curio.Lock, mine, other chan struct{}) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := first.Acquire(ctx); err != nil {
				return err
			}
			defer first.Release(ctx)
			close(mine)
			<-other
			if err := second.Acquire(ctx); err != nil { // where it hangs
				return err
			}
			defer second.Release(ctx)
			return results.Put(ctx, 1)
		}
	}
	curio.Go(ctx, both(&inner, &outer, haveInner, haveOuter), curio.Name("miller"))
	curio.Go(ctx, both(&outer, &inner, haveOuter, haveInner), curio.Name("baker"))
	curio.Go(ctx, func(ctx context.Context) error {
		_, err := results.Get(ctx)
		return err
	}, curio.Name("eater"))
	<-ctx.Done()
	return ctx.Err()
}

func named(k *curio.Kernel, name string) *curio.AnyTask {
	for _, t := range k.Tasks() {
		if t.Name() == name {
			return t
		}
	}
	return nil
}

// The page names the circle of a deadlock with file and line, and a task of it is cancelled from there.
func TestRealDeadlock(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	k := running(t, planted)
	s := monitored(t, k, monitor.AllowChanges())
	b := newTab(t)
	b.open(s.URL())
	b.has("#deadlocks", "2 tasks wait for each other")
	for _, name := range []string{"miller", "baker"} {
		b.has("#circles", fmt.Sprintf("%s (%d)", name, named(k, name).ID()))
	}
	b.until(`document.querySelectorAll("#circles .place").length === 2`)
	b.until(`[...document.querySelectorAll("#circles .place")].every((place) => /monitor_test\.go:\d+$/.test(place.textContent))`)
	if got := value[string](b, "location.href"); strings.Contains(got, "token") {
		t.Errorf("the address is %q", got)
	}
	b.has("#tree", "eater")

	baker := named(k, "baker")
	b.click(row(int(baker.ID())))
	b.press("w")
	b.has("#why-text", "miller")
	b.has("#why-text", "LOCK_ACQUIRE")
	b.press("s")
	b.until(`document.getElementById("stack-text").textContent.includes("planted") || document.getElementById("note").textContent`)
	testutil.Await(t, "a stack", func() bool {
		if strings.Contains(b.text("#stack-text"), "planted") {
			return true
		}
		b.do(`showStack()`) // at most one a second
		return false
	})
	b.do(fmt.Sprintf(`focusRow(%d)`, baker.ID()))
	b.press("c")
	b.has("#confirm-title", fmt.Sprintf("Cancel baker (%d)?", baker.ID()))
	b.press(kb.Tab, kb.Enter)
	b.has("#note", "Cancelled ")
	testutil.Await(t, "the end of all three", func() bool {
		return named(k, "baker") == nil && named(k, "miller") == nil && named(k, "eater") == nil
	})
	b.until(`document.getElementById("deadlocks").hidden`)
	if b.has("#facts", "Ended"); !baker.Cancelled() {
		t.Error("it was not cancelled")
	}
}

// circular are three tasks in a circle over two locks and a queue: the buyer has the inner lock and waits for the supplier's
// next item, the supplier waits for the outer lock, and the clerk has that and waits for the inner one.
func circular(ctx context.Context) error {
	var inner, outer curio.Lock
	items := curio.NewQueue[int](1)
	haveInner, haveOuter := make(chan struct{}), make(chan struct{})
	curio.Go(ctx, func(ctx context.Context) error {
		if err := inner.Acquire(ctx); err != nil {
			return err
		}
		defer inner.Release(ctx)
		close(haveInner)
		for {
			if _, err := items.Get(ctx); err != nil { // where it hangs
				return err
			}
		}
	}, curio.Name("buyer"))
	curio.Go(ctx, func(ctx context.Context) error {
		if err := items.Put(ctx, 1); err != nil {
			return err
		}
		<-haveOuter
		if err := outer.Acquire(ctx); err != nil { // where it hangs
			return err
		}
		defer outer.Release(ctx)
		return items.Put(ctx, 2)
	}, curio.Name("supplier"))
	curio.Go(ctx, func(ctx context.Context) error {
		if err := outer.Acquire(ctx); err != nil {
			return err
		}
		defer outer.Release(ctx)
		close(haveOuter)
		<-haveInner
		if err := inner.Acquire(ctx); err != nil { // where it hangs
			return err
		}
		defer inner.Release(ctx)
		return nil
	}, curio.Name("clerk"))
	<-ctx.Done()
	return ctx.Err()
}

// A circle that goes through a queue proves nothing, as anybody may put something into it. Why names it all the same.
func TestRealCircle(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	k := running(t, circular)
	testutil.Await(t, "the hang", func() bool {
		for name, state := range map[string]string{"buyer": "QUEUE_GET", "supplier": "LOCK_ACQUIRE", "clerk": "LOCK_ACQUIRE"} {
			if task := named(k, name); task == nil || task.State() != state {
				return false
			}
		}
		return true
	})
	s := monitored(t, k)
	b := newTab(t)
	b.open(s.URL())
	b.has("#tree", "clerk")
	b.do(js(`void (choose(%v, false), showWhy())`, named(k, "clerk").ID()))
	places := func(name, op string) string {
		return js(`new RegExp(%v).test(document.getElementById("why-text").textContent)`, name+` \(\d+\): `+op+` .*monitor_test\.go:\d+`)
	}
	testutil.Await(t, "the circle with places", func() bool { // which the page may have just asked for
		if !value[bool](b, places("clerk", "LOCK_ACQUIRE")) {
			b.do(`showWhy()`)
		}
		return value[bool](b, places("clerk", "LOCK_ACQUIRE"))
	})
	for name, op := range map[string]string{"buyer": "QUEUE_GET", "supplier": "LOCK_ACQUIRE"} {
		b.until(places(name, op))
	}
	b.has("#why-text", "see above, a circle")
}

// Without AllowChanges the page says so, and a request of its own is refused as well.
func TestRealReadOnly(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	k := running(t, planted)
	s := monitored(t, k)
	b := newTab(t)
	b.open(s.URL())
	b.has("#summary", "read only")
	b.has("#tree", "eater")
	id := named(k, "eater").ID()
	got := value[int](b, fmt.Sprintf(`ask("api/tasks/%d/cancel", { name: "eater" }).then(() => 200, (err) => err.status)`, id))
	if got != http.StatusForbidden {
		t.Errorf("a cancellation is answered with %d", got)
	}
	if named(k, "eater").Cancelled() {
		t.Error("the task was cancelled")
	}
}

// The token is asked for, and another one is refused.
func TestRealToken(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	s := monitored(t, running(t, planted))
	b := newTab(t)
	b.open("http://" + s.Addr() + "/#token=another-token-of-the-tests")
	b.until(`!document.getElementById("login").hidden`)
	if strings.Contains(b.shown(), "eater") {
		t.Error("the page shows tasks without the token")
	}
	b.press("x", kb.Enter)
	b.has("#login-text", "That token is not this program’s.")
	b.press(s.Token(), kb.Enter)
	b.has("#tree", "eater")
}

// A page of another site can do nothing, even if it knows the token: it does not reach what reads, and what changes something
// is refused.
func TestCrossSite(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>evil</title><iframe name="frame"></iframe>`)
	}))
	t.Cleanup(evil.Close)
	_, evilPort, _ := strings.Cut(strings.TrimPrefix(evil.URL, "http://"), ":")
	k := running(t, planted)
	s := monitored(t, k, monitor.AllowChanges(), monitor.OpenReading())
	b := newTab(t)
	for _, site := range []string{"evil.test", "localhost", "127.0.0.1"} { // another site; another host; another port
		b.open("http://" + site + ":" + evilPort + "/")
		task := named(k, "eater")
		for name, attempt := range attempts(s, task.ID()) {
			got := value[string](b, `Promise.race([(async () => {`+attempt+`})().then(() => "done", () => "failed"),
				new Promise((end) => setTimeout(() => end("nothing"), 20000))])`)
			if strings.HasPrefix(name, "read") && got != "failed" {
				t.Errorf("%s from %s: %s", name, site, got)
			}
		}
		b.forgive()
		if task.Cancelled() || named(k, "eater") != task {
			t.Fatalf("a page of %s has cancelled a task", site)
		}
	}

	// A name of evil's that stands for this machine by now (DNS rebinding): same origin for the browser.
	_, port, _ := strings.Cut(s.Addr(), ":")
	b.open("http://evil.test:" + port + "/")
	if shown := b.shown(); strings.Contains(shown, "Filter") || strings.Contains(shown, "eater") {
		t.Errorf("under another name the page is shown:\n%s", shown)
	}
	for _, path := range []string{"/", "/api/tasks", "/api/deadlocks", "/no/such/page"} {
		got := value[int](b, js(`fetch(%v, { headers: { Authorization: "Bearer " + %v } }).then((answer) => answer.status)`, path, s.Token()))
		if got != http.StatusMisdirectedRequest {
			t.Errorf("%s under another name is answered with %d", path, got)
		}
	}
	b.forgive()

	// A frame of another page shows nothing.
	b.open("http://evil.test:" + evilPort + "/")
	b.do(js(`new Promise((done) => { const frame = document.querySelector("iframe"); frame.onload = done; frame.src = %v; })`, "http://"+s.Addr()+"/"))
	if value[bool](b, `(() => { try { return document.querySelector("iframe").contentDocument !== null } catch { return false } })()`) {
		t.Error("another page can look into the frame")
	}
	b.forgive()

	// The monitor is there all the time.
	b.open(s.URL())
	b.has("#tree", "eater")
}

// attempts are what a page of another site may try, by name: scripts that are through when the attempt is.
func attempts(s *monitor.Server, id uint64) map[string]string {
	base := "http://" + s.Addr()
	cancel := fmt.Sprintf("%s/api/tasks/%d/cancel", base, id)
	all := map[string]string{}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		all["form "+kind] = js(`
			const form = document.createElement("form"), field = document.createElement("textarea");
			Object.assign(form, { method: "post", enctype: %v, action: %v, target: "frame" });
			field.name = '{"name": "eater", "x": "'; field.value = '"}\r\ncancel %v\r\ncancel %v\r\n';
			form.append(field);
			document.body.append(form);
			const loaded = new Promise((done) => { document.querySelector("iframe").onload = done; });
			form.submit();
			await loaded;`, kind, cancel, id, id)
	}
	for name, init := range map[string]string{
		"simple":       `{ method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: '{"name":"eater"}' }`,
		"commands":     js(`{ method: "POST", mode: "no-cors", body: "token " + %v + "\ncancel %v\n" }`, s.Token(), id),
		"credentials":  `{ method: "POST", mode: "no-cors", credentials: "include", body: '{"name":"eater"}' }`,
		"read JSON":    js(`{ method: "POST", headers: { "Content-Type": "application/json", Authorization: "Bearer " + %v }, body: '{"name":"eater"}' }`, s.Token()),
		"read no key":  `{ method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name":"eater"}' }`,
		"get":          `{ mode: "no-cors" }`,
		"read by CORS": `{}`,
	} {
		all[name] = js(`await fetch(%v, `, cancel) + init + `);`
		all[name+", the whole"] = js(`await fetch(%v, `, base+"/") + init + `);`
	}
	all["read the tasks"] = js(`await (await fetch(%v)).json();`, base+"/api/tasks")
	all["read the tasks with the token"] = js(`await (await fetch(%v, { headers: { Authorization: "Bearer " + %v } })).json();`, base+"/api/tasks", s.Token())
	all["image"] = js(`await new Promise((done) => { const image = new Image(); image.onload = image.onerror = done; image.src = %v; });`, cancel)
	all["read a script"] = js(`await new Promise((done, failed) => {
		const script = document.createElement("script");
		script.onload = done; script.onerror = failed; script.src = %v;
		document.body.append(script);
	});`, base+"/api/tasks")
	all["beacon"] = js(`navigator.sendBeacon(%v, '{"name":"eater"}');`, cancel)
	return all
}

// Names that a program has from its users come through the real monitor as they are, and go back.
func TestRealHostileNames(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	names := append([]string{"not \xff\xfe UTF-8"}, hostile...)
	k := running(t, func(ctx context.Context) error {
		for _, name := range names {
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 1<<62) }, curio.Name(name))
		}
		<-ctx.Done()
		return ctx.Err()
	})
	testutil.Await(t, "all tasks", func() bool { return len(k.Tasks()) > len(names) })
	s := monitored(t, k, monitor.AllowChanges())
	b := newTab(t)
	b.open(s.URL())
	b.until(js(`document.querySelectorAll("#rows .row").length === %v`, len(names)+1))
	for _, task := range k.Tasks() {
		if task.Parent() == nil {
			continue // main
		}
		id := task.ID()
		b.do(js(`void (choose(%v, false), confirmCancel(), document.getElementById("sure").click())`, id))
		b.until(`!document.getElementById("note").hidden && document.getElementById("note").textContent.startsWith("Cancelled ")`)
		testutil.Await(t, fmt.Sprintf("the end of %.40q", task.Name()), task.Terminated)
	}
	b.until(`document.querySelectorAll("#rows .row").length === 1`)
	if value[bool](b, `"taken" in window`) {
		t.Error("text has become a part of the page")
	}
}

// 100,000 tasks run while the page looks at them.
func TestRealHundredThousand(t *testing.T) {
	testutil.Need(t, "chromium")
	testutil.NoLeaks(t)
	const n = 100_000
	spawned := make(chan struct{})
	k := running(t, func(ctx context.Context) error {
		for i := range n {
			curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, 1<<62) }, curio.Name(fmt.Sprintf("sleeper-%d", i)))
		}
		close(spawned)
		<-ctx.Done()
		return ctx.Err()
	})
	s := monitored(t, k, monitor.AllowChanges())
	<-spawned // which the race detector makes slow
	b := newTab(t)
	b.open(s.URL())
	b.has("#summary", "100,001 tasks")
	b.has("#more", "99,001 more.")
	b.do(`document.getElementById("filter").focus()`)
	b.press("sleeper-99998", kb.Enter)
	b.until(`document.querySelectorAll("#rows .row").length === 1`)
	b.has("#rows", "sleeper-99998")
	b.press(kb.ArrowDown, "c")
	b.press(kb.Tab, kb.Enter)
	b.has("#note", "/sleeper-99998.")
	b.has("#nothing", "No task matches.")
}
