package socket

// groupOffset is where the address stands in a struct group_req: it is aligned to 8
// bytes.
const groupOffset = 8
