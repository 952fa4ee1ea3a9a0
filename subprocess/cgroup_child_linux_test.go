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
	children["incgroup"] = func(dirs []string) error {
		moved := make(chan os.Signal, 1)
		signal.Notify(moved, syscall.SIGUSR1)
		fmt.Println("ready")
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
