//! UDP sockets: batches of datagrams with their receive time and the kernel's drop counter.
