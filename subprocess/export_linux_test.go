package subprocess

var (
	ParseStat   = parseStat
	MayBeTraced = mayBeTraced
)
