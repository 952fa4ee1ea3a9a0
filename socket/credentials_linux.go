package socket

// Credentials are those of a process: its number, and the users and groups in whose name
// it runs.
type Credentials struct {
	PID, UID, GID int
}
