package file

import (
	"context"
	"fmt"
	"io"
	"math"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// ReadAll reads from the offset to the end of the file, but at most limit bytes. If there is more,
// it returns the first limit bytes and an error that wraps ErrTooLong; the rest is left for the
// next call. limit may be NoLimit. If ctx is done or reading fails, ReadAll returns the error with
// the data read so far, and the offset moves by that. ReadAll panics if limit is less than NoLimit.
func (f *File) ReadAll(ctx context.Context, limit int64) ([]byte, error) {
	most := mostBytes("ReadAll", limit)
	if err := f.enter("read"); err != nil {
		return nil, err
	}
	defer f.leave()
	all, err := at(ctx, func(ctx context.Context, place wait.Place) ([]byte, error) {
		if err := f.take(place); err != nil {
			return nil, err
		}
		return f.readAllInTurn(ctx, place, most)
	})
	return all, f.readError(err)
}

// mostBytes is a limit as a length.
func mostBytes(call string, limit int64) int {
	if limit < NoLimit {
		panic(fmt.Sprintf("file: %s of %d bytes; use NoLimit for no limit", call, limit))
	}
	const longest = math.MaxInt - 1
	if limit == NoLimit || limit > longest {
		return longest
	}
	return int(limit)
}

func tooLong(most int) error { return fmt.Errorf("%w: more than %d bytes", ErrTooLong, most) }

// readAllInTurn reads, and passes the turn on.
func (f *File) readAllInTurn(ctx context.Context, place wait.Place, most int) (all []byte, err error) {
	kept := false
	defer func() {
		if !kept {
			f.turn.Pass()
		}
	}()
	all = make([]byte, 0, firstRoom(f.remaining(), most))
	if !f.seekable {
		n := min(f.ahead.len(), most)
		all = append(all, f.ahead.unread[:n]...)
		f.ahead.skip(n)
	}
	for {
		if len(all) > 0 {
			if err := f.mayGoOn(place); err != nil {
				return all, err
			}
		}
		all = moreRoom(all, 0, most)
		room := all[len(all):min(cap(all), most+1)]
		var n int
		if f.seekable {
			n, err = f.readSome(ctx, place, room, f.offset)
		} else {
			n, kept, err = f.readNext(ctx, place, room)
		}
		all = all[:len(all)+n]
		if over := len(all) - most; over > 0 {
			if !f.seekable {
				f.ahead.unread = append(f.ahead.unread, all[most:]...)
			}
			f.offset += int64(n - over)
			return all[:most], tooLong(most)
		}
		f.offset += int64(n)
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, err
		}
	}
}

// remaining is how many bytes there are from the offset on, as far as that can be believed.
func (f *File) remaining() int64 {
	if !f.local || !f.seekable {
		return 0
	}
	var st syscall.Stat_t
	if err := again(func() error { return syscall.Fstat(f.fd, &st) }); err != nil {
		return 0
	}
	return believed(&st, true) - f.offset
}

const (
	leastRoom = 4 << 10 // what is in /proc has no size, and some of it is only read as a whole
	trialRoom = 1 << 20
)

// believed is how much memory is taken because of what st says about a size. A server may say anything,
// and a file that is sparse may be larger than all memory. Those have to show first that they have
// data.
func believed(st *syscall.Stat_t, local bool) int64 {
	size := st.Size
	if !local || int64(st.Blocks)*512 < size {
		size = min(size, trialRoom)
	}
	return max(size, 0)
}

// firstRoom is the capacity of the first buffer: one byte more than expected, so that the end is found
// without another one.
func firstRoom(expected int64, most int) int {
	room := int64(leastRoom)
	if expected >= leastRoom {
		room = expected + 1
	}
	return int(min(room, int64(most)+1))
}

// moreRoom makes a buffer that is full twice as large; or up to eight times as large if that much
// is expected, because what has been read makes the expectation plausible.
func moreRoom(all []byte, expected int64, most int) []byte {
	if len(all) < cap(all) || cap(all) > most {
		return all
	}
	room := max(2*cap(all), leastRoom)
	if expected >= int64(room) {
		room = int(min(expected+1, 8*int64(cap(all))))
	}
	larger := make([]byte, len(all), min(room, most+1))
	copy(larger, all)
	return larger
}
