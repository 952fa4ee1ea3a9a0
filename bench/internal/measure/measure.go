// Package measure is what the load generator tells the runner: its one line of
// JSON.
package measure

// A Sample is the outcome of one run of the load generator. Rates and times
// are of the measured window; errors are of the whole run.
type Sample struct {
	MessagesPerSecond  float64 `json:"messages_per_second"`
	MegabytesPerSecond float64 `json:"megabytes_per_second"` // one way, 10⁶ bytes

	// How long echoes took, from the first byte sent to the last received.
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
	Max  float64 `json:"max_us"`
	// Oldest is how long the oldest message had been waiting when the window
	// closed: what Max, which is over echoes that did come, cannot show.
	Oldest float64 `json:"oldest_us"`

	Errors      int `json:"errors"`      // connections never up, or lost later
	Mismatches  int `json:"mismatches"`  // connections lost to a wrong byte
	Connections int `json:"connections"` // asked for
	Up          int `json:"up"`          // that echoed their first message
	Alive       int `json:"alive"`       // that were left at the end

	ConnectSeconds float64 `json:"connect_seconds"`
	Seconds        float64 `json:"seconds"` // the window as it was
	Messages       uint64  `json:"messages"`

	// LoadBusy is how many CPUs the load generator itself used, not counting
	// polling in vain. Near its number of threads, it was the limit.
	LoadBusy float64 `json:"load_busy"`

	// Server is nil if no process was named, or if it ended meanwhile.
	Server *Server `json:"server,omitempty"`
}

// Server is what the processes under test used in the window.
type Server struct {
	CPU    float64 `json:"cpu_us_per_message"`    // by the process's CPU clock
	User   float64 `json:"user_us_per_message"`   // by clock ticks, so roughly
	System float64 `json:"system_us_per_message"` // by clock ticks, so roughly
	Busy   float64 `json:"busy"`                  // CPUs
	RSS    int     `json:"rss_kib"`               // at the end of the window
	// Foreign is how many CPUs processes other than these and the load
	// generator used.
	Foreign float64 `json:"foreign_cpus"`
}
