//go:build linux

package main

import "github.com/curio-go/curio/bench/internal/tables"

// A row sums up one server in one cell. What there were no samples for is nil.
type row struct {
	Server    string         `json:"server"`
	Rate      *tables.Spread `json:"messages_per_second"`
	RateRatio *tables.Spread `json:"messages_per_second_ratio"`
	CPU       *tables.Spread `json:"cpu_us_per_message"`
	CPURatio  *tables.Spread `json:"cpu_ratio"`
	P99       *tables.Spread `json:"p99_us"`
	RSS       *tables.Spread `json:"rss_kib"`
	LoadBusy  *tables.Spread `json:"load_busy"`
	Samples   int            `json:"samples"`
	Noisy     int            `json:"noisy"`
	Failed    int            `json:"failed"`
	Why       string         `json:"why,omitempty"`     // of the first failure
	Missing   string         `json:"missing,omitempty"` // why the server could not be run at all
}

// The figures that are summed up.
func rate(o outcome) float64     { return o.MessagesPerSecond }
func cpu(o outcome) float64      { return o.Server.CPU }
func p99(o outcome) float64      { return o.P99 }
func rss(o outcome) float64      { return float64(o.Server.RSS) }
func loadBusy(o outcome) float64 { return o.LoadBusy }

// summarise returns the row of a server, compared with ref.
func summarise(rounds []round, name, ref string) row {
	r := row{
		Server:    name,
		Rate:      tables.SpreadOf(figures(rounds, name, rate)),
		RateRatio: tables.SpreadOf(ratios(rounds, name, ref, rate)),
		CPU:       tables.SpreadOf(figures(rounds, name, cpu)),
		CPURatio:  tables.SpreadOf(ratios(rounds, name, ref, cpu)),
		P99:       tables.SpreadOf(figures(rounds, name, p99)),
		RSS:       tables.SpreadOf(figures(rounds, name, rss)),
		LoadBusy:  tables.SpreadOf(figures(rounds, name, loadBusy)),
	}
	for _, round := range rounds {
		o, taken := round[name]
		if !taken {
			continue
		}
		r.Samples++
		if o.Noisy {
			r.Noisy++
		}
		if !o.good() {
			r.Failed++
			if r.Why == "" {
				r.Why = o.Failed
			}
		}
	}
	return r
}

// figures returns one figure of a server's samples: of the clean ones, if
// there are any.
func figures(rounds []round, name string, of func(outcome) float64) []float64 {
	var clean, all []float64
	for _, round := range rounds {
		if o, taken := round[name]; taken && o.good() {
			all = append(all, of(o))
			if !o.Noisy {
				clean = append(clean, of(o))
			}
		}
	}
	if len(clean) > 0 {
		return clean
	}
	return all
}

// ratios returns a server's figure over ref's, round by round: what the
// machine did in a round it did to both. Of the clean rounds, if there are any.
func ratios(rounds []round, name, ref string, of func(outcome) float64) []float64 {
	var clean, all []float64
	for _, round := range rounds {
		mine, taken := round[name]
		theirs, takenToo := round[ref]
		if !taken || !takenToo || !mine.good() || !theirs.good() || of(theirs) == 0 {
			continue
		}
		ratio := of(mine) / of(theirs)
		all = append(all, ratio)
		if !mine.Noisy && !theirs.Noisy {
			clean = append(clean, ratio)
		}
	}
	if len(clean) > 0 {
		return clean
	}
	return all
}
