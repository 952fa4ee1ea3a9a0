package poll

const sysSendmmsg = 307 // package syscall does not have it
