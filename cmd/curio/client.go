package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxAnswer bounds what is read of an answer. A hundred thousand tasks take some 50 MB.
const maxAnswer = 512 << 20

// A client asks a monitor. Several goroutines may use it. The text of its errors is clean.
type client struct {
	at    address
	token string
	http  *http.Client
}

func newClient(at address, token string) (*client, error) {
	if token != "" && at.socket == "" && !at.secret {
		return nil, fmt.Errorf("%s: the token would be sent unencrypted over the network: use https, or a tunnel to localhost", clean(at.text))
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment} // which leaves localhost alone
	if at.socket != "" {
		token = "" // the system tells the monitor whose process this is
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", at.socket)
		}
	}
	return &client{at: at, token: token, http: &http.Client{
		Transport: transport,
		// A monitor does not redirect, and the token is for nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// A refusal is an error that the monitor has answered with.
type refusal struct {
	status int
	text   string
	token  bool          // a token was sent
	again  bool          // the monitor says when to ask again:
	after  time.Duration // then
}

func (r *refusal) Error() string {
	switch {
	case r.status == http.StatusUnauthorized && r.token:
		return "the monitor does not accept the token"
	case r.status == http.StatusUnauthorized:
		return "the monitor asks for its token: set CURIO_MONITOR_TOKEN, or give the file that has it with -token-file"
	}
	return clean(r.text)
}

// picture returns the tasks that match the filter, limit at most, the oldest first.
func (c *client) picture(ctx context.Context, filter string, limit int) (picture, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if filter != "" {
		query.Set("filter", filter)
	}
	body, err := c.ask(ctx, http.MethodGet, "/api/tasks?"+query.Encode(), nil)
	if err != nil {
		return picture{}, err
	}
	return decodeWith(c, body, decodePicture)
}

func (c *client) task(ctx context.Context, id uint64) (task, error) {
	return get[task](ctx, c, taskPath(id))
}

// stack returns where a task is. The program is stopped for a moment.
func (c *client) stack(ctx context.Context, id uint64) (stack, error) {
	return get[stack](ctx, c, taskPath(id)+"/stack")
}

// why returns what a task waits for. With lines, the text says where in the code each task is, and the program is
// stopped for a moment.
func (c *client) why(ctx context.Context, id uint64, lines bool) (chain, error) {
	return get[chain](ctx, c, taskPath(id)+"/why"+where(lines))
}

// deadlocks is about all tasks. For lines see why.
func (c *client) deadlocks(ctx context.Context, lines bool) (deadlockList, error) {
	return get[deadlockList](ctx, c, "/api/deadlocks"+where(lines))
}

// cancel cancels a task, and returns what the monitor says it has cancelled. The monitor refuses to if the name is not
// the task's.
func (c *client) cancel(ctx context.Context, id uint64, name string) (path string, err error) {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return "", err
	}
	raw, err := c.ask(ctx, http.MethodPost, taskPath(id)+"/cancel", body)
	if err != nil {
		return "", err
	}
	answer, err := decode[struct {
		Cancelled string `json:"cancelled"`
	}](c, raw)
	return answer.Cancelled, err
}

func taskPath(id uint64) string { return "/api/tasks/" + strconv.FormatUint(id, 10) }

func where(lines bool) string {
	if lines {
		return "?where=1"
	}
	return ""
}

// raw returns an answer as the monitor has written it.
func (c *client) raw(ctx context.Context, path string) ([]byte, error) {
	body, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	return text, c.explain(err)
}

func get[T any](ctx context.Context, c *client, path string) (T, error) {
	body, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return *new(T), err
	}
	return decode[T](c, body)
}

func decode[T any](c *client, body io.ReadCloser) (T, error) {
	return decodeWith(c, body, func(d *json.Decoder, answer *T) error { return d.Decode(answer) })
}

// decodePicture decodes a picture task by task: a hundred thousand of them are tens of megabytes, which need not be in memory
// as text, too.
func decodePicture(d *json.Decoder, p *picture) error {
	fields := map[string]any{
		"program": &p.Program, "pid": &p.PID, "changes": &p.Changes, "goroutines": &p.Goroutines, "total": &p.Total, "left_off": &p.LeftOff,
	}
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, errNoPicture)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		into := fields[fmt.Sprint(name)]
		switch {
		case name == "tasks":
			if err := decodeTasks(d, p); err != nil {
				return err
			}
			continue
		case into == nil:
			into = new(json.RawMessage) // of a newer monitor
		}
		if err := d.Decode(into); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func decodeTasks(d *json.Decoder, p *picture) error {
	switch t, err := d.Token(); {
	case err != nil:
		return err
	case t == nil: // null: there is none
		return nil
	case t != json.Delim('['):
		return errNoPicture
	}
	p.Tasks = make([]task, 0, max(0, min(p.Total, maxTasks)))
	for d.More() {
		p.Tasks = append(p.Tasks, task{})
		if err := d.Decode(&p.Tasks[len(p.Tasks)-1]); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

var errNoPicture = errors.New("not a list of tasks")

// decodeWith reads an answer while it comes, and closes it.
func decodeWith[T any](c *client, body io.ReadCloser, decode func(*json.Decoder, *T) error) (T, error) {
	defer body.Close()
	var answer T
	if err := decode(json.NewDecoder(body), &answer); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, errNoPicture) {
			return answer, fmt.Errorf("%s answers what this version of curio does not understand: %w", clean(c.at.text), err)
		}
		return answer, c.explain(err)
	}
	_, _ = io.Copy(io.Discard, body) // for the connection to be used again
	return answer, nil
}

// ask returns the body of the answer, which is JSON.
func (c *client) ask(ctx context.Context, method, path string, body []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.at.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	bounded := struct {
		io.Reader
		io.Closer
	}{io.LimitReader(response.Body, maxAnswer), response.Body}
	isJSON := strings.HasPrefix(response.Header.Get("Content-Type"), "application/json")
	if response.StatusCode == http.StatusOK && isJSON {
		return bounded, nil
	}
	defer response.Body.Close()
	var said struct {
		Error string `json:"error"`
	}
	if !isJSON || json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&said) != nil || said.Error == "" {
		if response.StatusCode == http.StatusUnauthorized {
			return nil, &refusal{status: response.StatusCode, token: c.token != ""}
		}
		return nil, fmt.Errorf("%s answers, but not as a monitor of curio does (%s)", clean(c.at.text), clean(response.Status))
	}
	r := &refusal{status: response.StatusCode, text: said.Error, token: c.token != ""}
	if after, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		r.again, r.after = true, time.Duration(max(0, min(after, 60)))*time.Second
	}
	return nil, r
}

// explain turns an error of the network into one that names the address and says what to look at.
func (c *client) explain(err error) error {
	if err == nil {
		return nil
	}
	at := clean(c.at.text)
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer: %w", at, context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", at, context.Canceled)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		errors.As(err, &errno)
		return fmt.Errorf("nothing answers at %s: %w (does the program run, with its monitor on?)", at, errno)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s ended the connection before the answer was complete", at)
	case errors.As(err, &errno):
		return fmt.Errorf("%s: %w", at, errno)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return errors.New(at + ": " + clean(err.Error()))
}
