package call

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"os/exec"
)

func commands(ctx context.Context) error {
	cmd := exec.Command("sleep", "1") // want `the program goes on when ctx is done: use exec.CommandContext, or package subprocess of Curio`
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	if err := exec.Command("true").Run(); err != nil { // want `the program goes on`
		return err
	}
	left := exec.Command("daemon") // nobody waits
	if err := left.Start(); err != nil {
		return err
	}
	killed := exec.Command("sleep", "1")
	go func() {
		<-ctx.Done()
		killed.Process.Kill()
	}()
	if err := killed.Run(); err != nil {
		return err
	}
	return exec.CommandContext(ctx, "true").Run()
}

func requests(ctx context.Context, client *http.Client) error {
	if _, err := http.Get("http://127.0.0.1"); err != nil { // want `http.Get goes on when ctx is done: use http.NewRequestWithContext`
		return err
	}
	if _, err := client.Head("http://127.0.0.1"); err != nil { // want `client.Head goes on`
		return err
	}
	_, err := http.NewRequest("GET", "http://127.0.0.1", nil) // want `http.NewRequest goes on`
	return err
}

func given(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequest("GET", "http://127.0.0.1", nil)
	if err != nil {
		return nil, err
	}
	return r.WithContext(ctx), nil
}

func names(ctx context.Context) (net.Conn, error) {
	if _, err := net.LookupHost("localhost"); err != nil { // want `net.LookupHost goes on when ctx is done: use net.DefaultResolver.LookupHost`
		return nil, err
	}
	var dialer net.Dialer
	if conn, err := dialer.Dial("tcp", "127.0.0.1:1"); err == nil { // want `dialer.Dial goes on when ctx is done: use DialContext`
		return conn, nil
	}
	return net.Dial("tcp", "127.0.0.1:1") // want `net.Dial goes on when ctx is done: use DialContext of a net.Dialer`
}

func queries(ctx context.Context, db *sql.DB, tx *sql.Tx) error {
	if err := db.Ping(); err != nil { // want `db.Ping goes on when ctx is done: use PingContext`
		return err
	}
	_, err := tx.Query("SELECT ?", 1) // want `tx.Query goes on`
	return err
}

func without() error { return exec.Command("true").Run() }

func passed(ctx context.Context, do func(context.Context, *http.Request) error) error {
	r, err := http.NewRequest("GET", "http://127.0.0.1", nil)
	if err != nil {
		return err
	}
	return do(ctx, r)
}
