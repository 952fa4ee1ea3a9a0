package sleep

import t "time"

func single(c ctx) error {
	t.Sleep(1) // want `time.Sleep goes on when c is done`
	return nil
}
