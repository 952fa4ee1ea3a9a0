package process

// Main makes it possible to start this program as a worker. It must be the first line of main,
// before flags are parsed, and of TestMain:
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
// In a worker, Main serves calls until the worker ends, and never returns. Otherwise it returns at
// once. All functions must be registered before.
func Main() {
	if startedAsWorker {
		serve()
	}
	programFile()
	reachedMain.Store(true)
}
