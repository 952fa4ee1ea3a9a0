package subprocess_test

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/curio-go/curio/subprocess"
)

func init() {
	moved := make(chan os.Signal, 1)
	if len(os.Args) > 1 && os.Args[1] == "incgroup" {
		signal.Notify(moved, syscall.SIGUSR1)
	}
	children["incgroup"] = func(dirs []string) error {
		<-moved
		for _, dir := range dirs {
			c := shell("exit 0")
			c.Cgroup = dir
			_, err := subprocess.Start(background, c)
			if err == nil || !strings.Contains(err.Error(), "this process is in that cgroup") {
				return fmt.Errorf("in %s: %v", dir, err)
			}
			fmt.Println("refused")
		}
		return nil
	}
}
