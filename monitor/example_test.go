package monitor_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/monitor"
)

// A program lets itself be watched, and here it is its own client. By hand that is: nc -U chat.sock
func ExampleOn() {
	dir, err := os.MkdirTemp("", "monitor")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server, err := monitor.On("unix:" + filepath.Join(dir, "chat.sock"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	err = curio.Run(context.Background(), func(ctx context.Context) error {
		conn, err := net.Dial("unix", strings.TrimPrefix(server.Addr(), "unix:"))
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Fprintf(conn, "parents %d\nexit\n", curio.CurrentTask(ctx).ID())
		said, err := io.ReadAll(conn)
		fmt.Println(strings.Contains(string(said), "RUNNING"))
		fmt.Println(strings.HasSuffix(string(said), "Leaving monitor.\n"))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// true
	// true
}

// The page and the JSON are part of a server of the program's own. A token has to come with each request.
func ExampleHandler() {
	const token = "not this one, a random one"
	mux := http.NewServeMux()
	mux.Handle("/debug/curio/", http.StripPrefix("/debug/curio",
		monitor.Handler(monitor.Token(strings.ReplaceAll(token, " ", "-")))))
	server := httptest.NewServer(mux)
	defer server.Close()

	answer, err := http.Get(server.URL + "/debug/curio/api/tasks")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	line, _ := bufio.NewReader(answer.Body).ReadString('\n')
	fmt.Print(answer.Status, " ", line)
	// Output:
	// 401 Unauthorized {"error":"the token is missing or wrong"}
}
