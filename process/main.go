package process

// Main makes this program one that can be started as a worker. It has to be the first line of main, before
// flags are parsed, and of TestMain:
//
//	func main() {
//		process.Main()
//		…
//	}
//
//	func TestMain(m *testing.M) {
//		process.Main()
//		os.Exit(m.Run())
//	}
//
// In a worker it serves calls until the worker ends, and never returns. Otherwise it returns at once. All
// functions have to be registered by then.
func Main() {
	if startedAsWorker {
		serve()
	}
	programFile()
	reachedMain.Store(true)
}
