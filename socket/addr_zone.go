package socket

import (
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// IPv6 addresses of one link only have a zone, the interface of that link. In an address
// it goes by the interface's name or by its number, to the system by its number. Asking
// for the list of interfaces takes some 50 µs, which is too long to be done for each
// datagram, so it is kept for a while.

const keepZones = 60_000_000_000 // nanoseconds

var zones struct {
	mu    sync.Mutex
	until int64
	names map[int]string
	ids   map[string]int
}

// zoneID is the number of a zone.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	zones.mu.Lock()
	defer zones.mu.Unlock()
	id, ok := zones.ids[zone]
	var number uint64
	var err error
	if !ok {
		number, err = strconv.ParseUint(zone, 10, 32)
	}
	if refreshZonesLocked(ok || err == nil) {
		id, ok = zones.ids[zone]
	}
	switch {
	case ok:
		return uint32(id), nil
	case err != nil:
		return 0, fmt.Errorf("unknown zone %q", zone)
	}
	return uint32(number), nil
}

// zoneName is the name of a zone, or its number if there is no such interface.
func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	zones.mu.Lock()
	defer zones.mu.Unlock()
	name, ok := zones.names[int(id)]
	if refreshZonesLocked(ok) {
		name, ok = zones.names[int(id)]
	}
	if ok {
		return name
	}
	return strconv.FormatUint(uint64(id), 10)
}

// refreshZonesLocked asks for the interfaces anew if what is known is old, or has not
// helped.
func refreshZonesLocked(found bool) bool {
	if found && wait.Now() < zones.until {
		return false
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return false
	}
	zones.names, zones.ids = make(map[int]string), make(map[string]int)
	for _, i := range interfaces {
		zones.names[i.Index], zones.ids[i.Name] = i.Name, i.Index
	}
	zones.until = wait.Now() + keepZones
	return true
}
