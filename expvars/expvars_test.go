package expvars_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/expvars"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, func() {}) }

func Example() {
	expvars.Publish("curio")

	server := httptest.NewServer(expvar.Handler()) // or any that serves http.DefaultServeMux
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var vars struct {
		Curio curio.Stats
	}
	if err := json.NewDecoder(response.Body).Decode(&vars); err != nil {
		log.Fatal(err)
	}
	fmt.Println(vars.Curio.Kernels, "kernel,", vars.Curio.Tasks, "tasks,", vars.Curio.ByState["lock"], "wait for a lock")
	// Output: 1 kernel, 0 tasks, 0 wait for a lock
}

// What is scraped are the counts of that moment.
func TestPublish(t *testing.T) {
	name := t.Name()
	expvars.Publish(name)
	server := httptest.NewServer(expvar.Handler())
	defer server.Close()
	scrape := func() (s curio.Stats) {
		response, err := server.Client().Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		vars := map[string]json.RawMessage{}
		if err := json.Unmarshal(text, &vars); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if err := json.Unmarshal(vars[name], &s); err != nil {
			t.Fatalf("%v in %s", err, vars[name])
		}
		return s
	}

	before := scrape()
	err := curio.Run(t.Context(), func(ctx context.Context) error {
		var lock curio.Lock
		if err := lock.Acquire(ctx); err != nil {
			return err
		}
		waiting := curio.Go(ctx, lock.Acquire, curio.Name("\"a\n\x1b[31m<b>"))
		testutil.Await(t, "a waiter", func() bool { return waiting.State() == "LOCK_ACQUIRE" })
		now := scrape()
		if now.Created != before.Created+2 || now.Tasks != 2 || now.ByState["lock"] != 1 || now.ByKind[curio.MainTask] != 1 || now.Kernels != before.Kernels+1 {
			t.Errorf("while a task waits for a lock: %+v, before: %+v", now, before)
		}
		_, err := waiting.Cancel(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	after := scrape()
	if after.Ended != before.Ended+2 || after.Cancelled != before.Cancelled+1 || after.Tasks != 0 {
		t.Errorf("when all is over: %+v, before: %+v", after, before)
	}
	if text := expvars.Var().String(); strings.Contains(text, "31m") {
		t.Errorf("there is a task's name in %s", text)
	}
}

// A name that is taken is a mistake, and expvar ends the program for it.
func TestPublishTwice(t *testing.T) {
	expvars.Publish(t.Name())
	defer func() {
		if recover() == nil {
			t.Error("Publish has taken a name twice")
		}
	}()
	defer log.SetOutput(log.Default().Writer())
	log.SetOutput(io.Discard)
	expvars.Publish(t.Name())
}

// byImport are the variables that there were before any test.
var byImport = func() (names []string) {
	expvar.Do(func(kv expvar.KeyValue) { names = append(names, kv.Key) })
	return names
}()

func TestNothingIsPublishedByImport(t *testing.T) {
	if want := []string{"cmdline", "memstats"}; !slices.Equal(byImport, want) {
		t.Errorf("importing this package has published %q, want package expvar's own %q alone", byImport, want)
	}
}
