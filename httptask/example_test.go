package httptask_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/network"
)

func Example() {
	hello := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "this is task %q", curio.CurrentTask(r.Context()).Name())
	}
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1000})
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler:           httptask.Handler(http.HandlerFunc(hello)),
			BaseContext:       func(net.Listener) context.Context { return ctx },
			ReadHeaderTimeout: 10 * time.Second,
			ReadTimeout:       time.Minute,
			WriteTimeout:      time.Minute,
			IdleTimeout:       time.Minute,
		}
		defer server.Close()
		curio.Go(ctx, func(ctx context.Context) error {
			return server.Serve(network.NetListener(ctx, listener))
		}, curio.ReportCrash(false)) // as it ends with http.ErrServerClosed

		client := &http.Client{Timeout: 10 * time.Second}
		response, err := client.Get("http://" + listener.LocalAddr().String() + "/greeting")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		fmt.Println(string(body))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: this is task "GET /greeting"
}
