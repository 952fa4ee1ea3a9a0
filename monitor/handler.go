package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/labelled"
)

// Handler returns the web page and the JSON of a monitor, for use in a server of the program's own.
// To mount it below a path, use http.StripPrefix, with a path that ends in a slash:
//
//	mux.Handle("/debug/curio/", http.StripPrefix("/debug/curio", monitor.Handler(monitor.Token(token))))
//
// It needs [Token], [OpenReading] or the environment variable CURIO_MONITOR_TOKEN; without them no
// client can read. Only the token grants access, because behind a proxy each request comes from an
// address of this machine. For the same reason the names under which it is reached must be given
// with [Hosts]. The token is sent over the network as it is, so serve it with TLS. Nothing is
// registered in http.DefaultServeMux.
//
// Handler panics if the token is shorter than 16 bytes.
func Handler(opts ...Option) http.Handler {
	s := apply(opts)
	s.tokenOfEnvironment()
	if err := s.checkToken(); err != nil {
		panic(err)
	}
	return newAPI(newView(s))
}

// An api answers requests.
type api struct {
	*view
	mux *http.ServeMux
}

// An apiError is an answer other than 200.
type apiError struct {
	status int
	text   string
}

func (e *apiError) Error() string { return e.text }

func newAPI(v *view) *api {
	a := &api{v, http.NewServeMux()}
	a.mux.HandleFunc("/{$}", onlyGet(servePage))
	for path, answer := range map[string]func(r *http.Request) (any, error){
		"/api/tasks":            a.tasks,
		"/api/tasks/{id}":       a.task,
		"/api/tasks/{id}/stack": a.stack,
		"/api/tasks/{id}/why":   a.why,
		"/api/deadlocks":        a.deadlocks,
		"/api/threads":          a.threads,
	} {
		a.mux.HandleFunc(path, onlyGet(func(w http.ResponseWriter, r *http.Request) {
			if !a.open && !a.knows(r) {
				refuse(w, errUnknown)
				return
			}
			reply(w, r, answer)
		}))
	}
	for path, answer := range map[string]func(r *http.Request) (any, error){
		"/api/tasks/{id}/cancel": a.cancel,
		"/api/signal":            a.signal,
		"/api/log":               a.log,
	} {
		a.mux.HandleFunc(path, a.change(answer))
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &apiError{http.StatusNotFound, "no such page"})
	})
	return a
}

var errUnknown = &apiError{http.StatusUnauthorized, "the token is missing or wrong"}

// ServeHTTP refuses a request that was meant for another server, or that comes from a page of another one. Then it checks
// the token, and looks what is asked for.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case !a.isOurs(r.Host):
		refuse(w, &apiError{http.StatusMisdirectedRequest, "the Host header names another host: see monitor.Hosts"})
	case isForeign(r) && strings.HasPrefix(r.URL.Path, "/api/"):
		refuse(w, &apiError{http.StatusForbidden, "the request comes from a page of another server"})
	default:
		a.mux.ServeHTTP(w, r)
	}
}

// isOurs reports whether the host of a request is one under which this server is reached. A page of another server can have
// its own name stand for this machine, and then it and this server are of one origin for the browser. An address cannot
// be made to stand for another, so all of loopback will do. The port does not matter.
func (a *api) isOurs(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if ip, err := netip.ParseAddr(name); err == nil && ip.Unmap().IsLoopback() {
		return true
	}
	return strings.EqualFold(name, "localhost") || slices.ContainsFunc(a.hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// isForeign reports whether a browser says that the request comes from a page of another server. http.CrossOriginProtection
// lets each GET pass; but a stack stops the program for a moment, so others cannot have that either. A browser that sends
// Sec-Fetch-Site knows; for others the origin is compared with the host, which a proxy may have changed.
func isForeign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// A connKey is the key of a request's connection in its context, if it is one of a Server.
type connKey struct{}

// knows reports whether the client has the token, or is the same user, at the other end of a Unix socket.
func (a *api) knows(r *http.Request) bool {
	c, _ := r.Context().Value(connKey{}).(*conn)
	if c != nil && c.own {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !a.isToken(strings.TrimSpace(token)) {
		return false
	}
	if c != nil {
		c.trusted.Store(true)
	}
	return true
}

func onlyGet(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, &apiError{http.StatusMethodNotAllowed, "use GET"})
			return
		}
		serve(w, r)
	}
}

// change wraps what changes something. A form of another page can send a POST, but no JSON and no token, and a GET changes
// nothing.
func (a *api) change(answer func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", "POST")
			refuse(w, &apiError{http.StatusMethodNotAllowed, "use POST"})
		case new(http.CrossOriginProtection).Check(r) != nil:
			refuse(w, &apiError{http.StatusForbidden, "the request comes from a page of another server"})
		case !a.knows(r):
			refuse(w, errUnknown)
		case !a.changes:
			refuse(w, errOff)
		case kind != "application/json":
			refuse(w, &apiError{http.StatusUnsupportedMediaType, "the content has to be application/json"})
		default:
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
			reply(w, r, answer)
		}
	}
}

// reply sends an answer, which is complete before the first byte of it is sent: a client that reads slowly keeps nothing
// waiting.
func reply(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	a, err := answer(r)
	if err != nil {
		refuse(w, err)
		return
	}
	send(w, http.StatusOK, a)
}

func send(w http.ResponseWriter, status int, answer any) {
	text, err := json.Marshal(answer)
	if err != nil { // there is nothing in it that could fail
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that has gone needs no answer
}

// refuse sends an error.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var known *apiError
	var none noTaskError
	var soon tooSoonError
	var many tooManyError
	switch {
	case errors.As(err, &known):
		status = known.status
	case errors.As(err, &none), errors.Is(err, errNoLevel):
		status = http.StatusNotFound
	case errors.As(err, &soon):
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1")
	case errors.As(err, &many):
		status = http.StatusServiceUnavailable
	case errors.Is(err, errOff):
		status = http.StatusForbidden
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	send(w, status, map[string]string{"error": err.Error()})
}

// Bounds of the tasks in one answer.
const (
	someTasks = 1000
	mostTasks = 100_000 // for a client that has the token, or is the same user
)

func (a *api) tasks(r *http.Request) (any, error) {
	q := query{limit: someTasks, filter: r.FormValue("filter")}
	var err error
	if s := r.FormValue("limit"); s != "" {
		if q.limit, err = strconv.Atoi(s); err != nil || q.limit < 0 {
			return nil, &apiError{http.StatusBadRequest, "limit has to be a number"}
		}
		most := someTasks
		if a.knows(r) {
			most = mostTasks
		}
		q.limit = min(q.limit, most)
	}
	if s := r.FormValue("after"); s != "" {
		if q.after, err = strconv.ParseUint(s, 10, 64); err != nil {
			return nil, &apiError{http.StatusBadRequest, "after has to be the number of a task"}
		}
	}
	chosen, total, leftOff := a.choose(q)
	infos := curio.InspectTasks(chosen...)
	answer := tasksJSON{
		Program: textJSON(a.program), PID: os.Getpid(), Changes: a.changes, Goroutines: goroutines(), Total: total, LeftOff: leftOff,
		Tasks: make([]taskJSON, 0, len(infos)),
	}
	now := time.Now()
	for _, i := range infos {
		answer.Tasks = append(answer.Tasks, jsonOf(i, now))
	}
	return answer, nil
}

// taskOf returns the task that a request is about.
func (a *api) taskOf(r *http.Request) (*curio.AnyTask, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, &apiError{http.StatusNotFound, "the number of a task is missing"}
	}
	if t := a.view.task(id); t != nil {
		return t, nil
	}
	return nil, noTaskError(id)
}

func (a *api) task(r *http.Request) (any, error) {
	t, err := a.taskOf(r)
	if err != nil {
		return nil, err
	}
	return jsonOf(t.Inspect(), time.Now()), nil
}

func (a *api) stack(r *http.Request) (any, error) {
	t, err := a.taskOf(r)
	if err != nil {
		return nil, err
	}
	l, err := a.look(r.Context(), t, false)
	if err != nil {
		return nil, err
	}
	return stackJSON{t.ID(), textJSON(l.where), l.stack, seconds(l.pause)}, nil
}

func (a *api) why(r *http.Request) (any, error) {
	t, err := a.taskOf(r)
	if err != nil {
		return nil, err
	}
	where := r.FormValue("where") == "1"
	if where {
		if err := stacks.takeAll(); err != nil {
			return nil, err
		}
		defer stacks.done()
	}
	return map[string]string{"text": t.Why(where)}, nil
}

func (a *api) deadlocks(r *http.Request) (any, error) {
	found := a.view.deadlocks()
	var places map[*curio.AnyTask]string
	if r.FormValue("where") == "1" && len(found) > 0 {
		if err := stacks.takeAll(); err != nil {
			return nil, err
		}
		defer stacks.done()
		places = whereAre(found)
	}
	return map[string]any{"deadlocks": deadlocksJSON(found, places)}, nil
}

func (a *api) threads(*http.Request) (any, error) {
	return map[string]any{"threads": threadsJSON(a.threadCalls(), time.Now())}, nil
}

// read reads the JSON that a change is asked for with.
func read(r *http.Request, what any) error {
	if err := json.NewDecoder(r.Body).Decode(what); err != nil {
		return &apiError{http.StatusBadRequest, "the content is not the JSON that is expected"}
	}
	return nil
}

// cancel wants the name of the task, too: somebody may have mistaken one line for another.
func (a *api) cancel(r *http.Request) (any, error) {
	var ask struct{ Name string }
	if err := read(r, &ask); err != nil {
		return nil, err
	}
	t, err := a.taskOf(r)
	if err != nil {
		return nil, err
	}
	if name := textJSON(t.Name()); name != ask.Name {
		return nil, &apiError{http.StatusConflict, "the task has another name: " + name}
	}
	whom, err := a.view.cancel(t, client(r))
	return map[string]string{"cancelled": textJSON(whom)}, err
}

func (a *api) signal(r *http.Request) (any, error) {
	var ask struct{ Name string }
	if err := read(r, &ask); err != nil {
		return nil, err
	}
	its, err := a.view.signal(ask.Name, client(r))
	return map[string]string{"signal": its}, err
}

func (a *api) log(r *http.Request) (any, error) {
	var ask struct{ Level string }
	if err := read(r, &ask); err != nil {
		return nil, err
	}
	its, err := a.view.log(ask.Level, client(r))
	return map[string]string{"level": its}, err
}

// client is the address of a client, for the log.
func client(r *http.Request) string {
	if c, _ := r.Context().Value(connKey{}).(*conn); c != nil {
		return c.client()
	}
	return r.RemoteAddr
}

// look looks for the stack of t, if that is allowed now, or later if the client can wait.
func (v *view) look(ctx context.Context, t *curio.AnyTask, patient bool) (look, error) {
	if many := tooMany(); many != nil && !labelled.Used.Load() {
		return look{}, many
	}
	take := stacks.take
	if patient {
		take = func() error { return await(ctx, stacks.take) }
	}
	if err := take(); err != nil {
		return look{}, err
	}
	defer stacks.done()
	return stackOf(t)
}
