package socket

// groupOffset is where the address stands in a struct group_req: macOS packs it.
const groupOffset = 4
