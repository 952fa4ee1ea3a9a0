package file

// SetKernelBuffer replaces the size of a read, for instances that start from now on.
func SetKernelBuffer(n int) (restore func()) {
	before := kernelBuffer
	kernelBuffer = n
	return func() { kernelBuffer = before }
}

// SetBeforeKernelRead has the reader call hook before each read, nil for nothing.
func SetBeforeKernelRead(hook func()) {
	if hook == nil {
		beforeKernelRead.Store(nil)
		return
	}
	beforeKernelRead.Store(&hook)
}

// SetAfterAddWatch has hook called after each system call that adds a watch, nil for nothing.
func SetAfterAddWatch(hook func()) {
	if hook == nil {
		afterAddWatch.Store(nil)
		return
	}
	afterAddWatch.Store(&hook)
}

// KernelWatches returns how many watches we believe the kernel has for us, and how many spots there are. ok
// is false if there is no instance.
func KernelWatches() (watches, spots int, ok bool) {
	kernelWatch.mu.Lock()
	defer kernelWatch.mu.Unlock()
	for _, s := range kernelWatch.watches {
		spots += len(s)
	}
	return len(kernelWatch.watches), spots, kernelWatch.fd != nil
}

// KernelNumbers returns the numbers of the watches that the kernel has for us.
func KernelNumbers() map[int32]bool {
	kernelWatch.mu.Lock()
	defer kernelWatch.mu.Unlock()
	numbers := map[int32]bool{}
	for wd := range kernelWatch.watches {
		numbers[wd] = true
	}
	return numbers
}

// KernelDescriptor returns the number of the instance's descriptor.
func KernelDescriptor() int {
	kernelWatch.mu.Lock()
	defer kernelWatch.mu.Unlock()
	return kernelWatch.sysfd
}

// Dispatch has the instance receive what buf says.
func Dispatch(buf []byte) {
	kernelWatch.mu.Lock()
	fd := kernelWatch.fd
	kernelWatch.mu.Unlock()
	dispatchEvents(fd, buf)
}

// SetFileSystem makes all paths be on a file system of a type.
func SetFileSystem(magic uint32) (restore func()) {
	before := fileSystemType
	fileSystemType = func(string) uint32 { return magic }
	return func() { fileSystemType = before }
}
