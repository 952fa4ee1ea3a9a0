package wait

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline passes while a Move is on its way: either the scope has been moved in time, and nobody
// takes it for ended, or it has ended, and there is an error.
func TestMovedAsItPasses(t *testing.T) {
	for range 1000 {
		s := NewMovable(context.Background())
		p, err := At(s)
		if err != nil {
			t.Fatal(err)
		}
		s.Move(After(20*time.Microsecond), time.Time{})
		moved := make(chan bool)
		go func() { moved <- s.Move(After(time.Hour), time.Time{}) }()
		for began := time.Now(); time.Since(began) < 40*time.Microsecond; {
			if p.Ended() && p.Failure() == nil {
				t.Fatal("it has ended without an error")
			}
		}
		if ok := <-moved; ok != (s.Cause() == nil) {
			t.Errorf("moved: %v, and %v", ok, s.Cause())
		}
		s.Close()
	}
}

// The alarm of a deadline that was moved away rings for nothing, and that of one that was taken away
// does not ring.
func TestAlarmOfAMovedDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewMovable(context.Background())
		defer s.Close()
		s.Move(After(time.Second), time.Time{})
		s.Move(After(3*time.Second), time.Time{})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.cause.Load() != nil {
			t.Error("it has ended at the old time")
		}
		s.Move(0, time.Time{})
		if s.alarm != nil {
			t.Error("an alarm is set for a deadline that was taken away")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.cause.Load() != nil {
			t.Error("it has ended all the same")
		}
		s.Move(After(time.Second), time.Time{})
		time.Sleep(time.Second)
		synctest.Wait()
		if c := s.cause.Load(); c == nil || c.Kind != Expired {
			t.Errorf("it has not expired, but %v", c)
		}
		if s.Move(0, time.Time{}) {
			t.Error("what has expired can be moved")
		}
	})
}
