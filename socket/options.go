package socket

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/poll"
)

// This file sets and reads options by their numbers. Those with a type are an Option each.

// SetsockoptInt sets an option by its number: setsockopt(2). For the common options see [Option].
// SetsockoptInt refuses SO_RCVTIMEO and SO_SNDTIMEO, which have no effect on a non-blocking socket:
// use a context with a timeout instead.
func (s *Socket) SetsockoptInt(level, name, value int) error {
	return s.control("setsockopt", func(fd int) error {
		if err := refused(level, name); err != nil {
			return err
		}
		if !poll.FitsInt(value) {
			return fmt.Errorf("value %d: %w", value, syscall.EINVAL)
		}
		s.fd.Setting(level, name)
		return syscall.SetsockoptInt(fd, level, name, value)
	})
}

// GetsockoptInt returns the value of an option by its number: getsockopt(2).
func (s *Socket) GetsockoptInt(level, name int) (value int, err error) {
	err = s.control("getsockopt", func(fd int) (err error) {
		if err := misnumbered(level, name); err != nil {
			return err
		}
		value, err = syscall.GetsockoptInt(fd, level, name)
		return err
	})
	return value, err
}

// SetsockoptBytes sets an option whose value is not an int: setsockopt(2). value holds the struct
// or the text that the system's manual describes. SetsockoptBytes refuses the same options as
// SetsockoptInt.
func (s *Socket) SetsockoptBytes(level, name int, value []byte) error {
	return s.control("setsockopt", func(fd int) error {
		if err := refused(level, name); err != nil {
			return err
		}
		s.fd.Setting(level, name)
		return poll.Setsockopt(fd, level, name, value)
	})
}

// GetsockoptBytes reads an option whose value is not an int: getsockopt(2). It copies as much of
// the value into buf as fits, and returns the number of bytes.
func (s *Socket) GetsockoptBytes(level, name int, buf []byte) (n int, err error) {
	err = s.control("getsockopt", func(fd int) (err error) {
		if err := misnumbered(level, name); err != nil {
			return err
		}
		n, err = poll.Getsockopt(fd, level, name, buf)
		return err
	})
	return n, err
}

// misnumbered returns an error if the system would truncate the numbers, and take them for
// another option.
func misnumbered(level, name int) error {
	if poll.FitsInt(level) && poll.FitsInt(name) {
		return nil
	}
	return fmt.Errorf("option %d of level %d: %w", name, level, syscall.ENOPROTOOPT)
}

// refused is the error for options that would do nothing. The kernel's timeouts are for
// system calls that block, which ours do not.
func refused(level, name int) error {
	if err := misnumbered(level, name); err != nil {
		return err
	}
	if level != syscall.SOL_SOCKET {
		return nil
	}
	option := ""
	switch {
	case name == syscall.SO_RCVTIMEO || name == soRecvTimeoutNew:
		option = "SO_RCVTIMEO"
	case name == syscall.SO_SNDTIMEO || name == soSendTimeoutNew:
		option = "SO_SNDTIMEO"
	default:
		return nil
	}
	return &optionError{option, fmt.Errorf(
		"it has no effect on a non-blocking socket: use a context with a timeout, such as from curio.WithTimeout: %w", syscall.ENOPROTOOPT)}
}

// A form is how a T stands in the bytes of an option.
type form[T any] struct {
	size   int // of the buffer to read it into
	encode func(T) ([]byte, error)
	decode func([]byte) T
}

// Values beyond the range of an int of C are refused and not cut off.
var integer = &form[int]{4, func(v int) ([]byte, error) { return encodeInt(int64(v)) }, intOf}

// encodeInt fails if v does not fit into a C int.
func encodeInt(v int64) ([]byte, error) {
	if v < math.MinInt32 || v > math.MaxInt32 {
		return nil, syscall.EINVAL
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(v)), nil
}

var boolean = &form[bool]{4, func(on bool) ([]byte, error) {
	if on {
		return integer.encode(1)
	}
	return integer.encode(0)
}, func(b []byte) bool { return intOf(b) != 0 }}

var word = &form[uint32]{4, func(v uint32) ([]byte, error) {
	return binary.NativeEndian.AppendUint32(nil, v), nil
}, func(b []byte) uint32 { return uint32(intOf(b)) }}

// duration counts in units, rounded up: a time that is not 0 does not become one that
// often means "never" or "off".
func duration(unit time.Duration) *form[time.Duration] {
	return &form[time.Duration]{4, func(d time.Duration) ([]byte, error) {
		if d < 0 {
			return nil, syscall.EINVAL
		}
		return encodeInt(units(d, unit))
	}, func(b []byte) time.Duration { return time.Duration(intOf(b)) * unit }}
}

// units returns d in units, rounded up.
func units(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

// text has at most size bytes, including the zero byte at its end. A longer text, or one
// with a zero byte inside, would be truncated by the system, and taken for another name.
func text(size int) *form[string] {
	return &form[string]{size, func(v string) ([]byte, error) {
		if len(v) >= size || strings.IndexByte(v, 0) >= 0 {
			return nil, syscall.EINVAL
		}
		return []byte(v), nil
	}, func(b []byte) string {
		for i, c := range b {
			if c == 0 {
				return string(b[:i])
			}
		}
		return string(b)
	}}
}

// lingering is a struct linger: whether, and for how many seconds.
var lingering = &form[time.Duration]{8, func(d time.Duration) ([]byte, error) {
	if d < 0 {
		return make([]byte, 8), nil
	}
	b, _ := boolean.encode(true)
	seconds, err := encodeInt(units(d, time.Second))
	return append(b, seconds...), err
}, func(b []byte) time.Duration {
	if len(b) < 8 || intOf(b) == 0 {
		return -time.Second
	}
	return time.Duration(intOf(b[4:])) * time.Second
}}

// intOf reads an int of C, or a byte, as some systems have it for some options.
func intOf(b []byte) int {
	switch {
	case len(b) >= 4:
		return int(int32(binary.NativeEndian.Uint32(b)))
	case len(b) > 0:
		return int(b[0])
	}
	return 0
}
