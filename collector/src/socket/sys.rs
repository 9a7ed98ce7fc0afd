//! The system calls that std and socket2 do not offer: the only file with `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddr;
use std::os::fd::RawFd;

use socket2::SockAddr;

/// Messages that one call reads.
pub(super) const MESSAGES: usize = 32;

/// Bytes of one message: the most that UDP_GRO merges.
const MESSAGE_BYTES: usize = 65_536;

/// Room for the control messages of one datagram: UDP_GRO's segment size is all that is asked for.
const CONTROL_WORDS: usize = 8;

/// The receive area that all sockets of a worker share.
pub(super) struct Area {
    buffers: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    control: Vec<[u64; CONTROL_WORDS]>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// The raw pointers inside point into the area's own heap blocks, which move with it.
unsafe impl Send for Area {}

impl std::fmt::Debug for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Area").finish_non_exhaustive()
    }
}

impl Area {
    pub(super) fn new() -> Self {
        // SAFETY: these are plain C structs for which all zeros is a valid value.
        let (name, vector, header) = unsafe { (zeroed(), zeroed(), zeroed()) };
        Self {
            buffers: vec![0; MESSAGES * MESSAGE_BYTES],
            names: vec![name; MESSAGES],
            control: vec![[0; CONTROL_WORDS]; MESSAGES],
            vectors: vec![vector; MESSAGES],
            headers: vec![header; MESSAGES],
        }
    }

    /// Reads up to [`MESSAGES`] messages without waiting. Returns how many.
    pub(super) fn receive(&mut self, socket: RawFd) -> io::Result<usize> {
        self.aim();
        // SAFETY: every header points at a name, a vector and a control block of this area, all of the stated
        // sizes; they stay where they are during the call.
        let read = unsafe {
            libc::recvmmsg(
                socket,
                self.headers.as_mut_ptr(),
                MESSAGES as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(read) {
            Ok(read) => Ok(read),
            Err(_) => interrupted_is_zero(),
        }
    }

    /// The area as one buffer, for bytes that are no datagrams.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.buffers.get_mut(..MESSAGE_BYTES).unwrap_or_default()
    }

    /// The sender, the bytes and the segment size (0: not merged) of a message that was just read.
    pub(super) fn message(&self, index: usize) -> Option<(SocketAddr, &[u8], usize)> {
        let header = self.headers.get(index)?;
        let start = index * MESSAGE_BYTES;
        let payload = self.buffers.get(start..start + header.msg_len as usize)?;
        // SAFETY: the kernel wrote a name of `msg_namelen` bytes into this sockaddr_storage.
        let name = unsafe { SockAddr::new(as_socket2(self.names[index]), header.msg_hdr.msg_namelen) };
        Some((name.as_socket()?, payload, segment_size(&header.msg_hdr)))
    }

    /// Points the headers at the area's blocks again: the kernel overwrote their lengths.
    fn aim(&mut self) {
        for index in 0..MESSAGES {
            self.vectors[index] = libc::iovec {
                iov_base: self.buffers[index * MESSAGE_BYTES..].as_mut_ptr().cast(),
                iov_len: MESSAGE_BYTES,
            };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.control[index]).cast();
            header.msg_controllen = CONTROL_WORDS * size_of::<u64>();
            header.msg_flags = 0;
        }
    }
}

fn as_socket2(name: libc::sockaddr_storage) -> socket2::SockAddrStorage {
    // SAFETY: socket2's storage is a transparent wrapper of the same C struct.
    unsafe { std::mem::transmute(name) }
}

fn segment_size(header: &libc::msghdr) -> usize {
    // SAFETY: the kernel filled in `msg_control` and `msg_controllen`; the macros stay within them.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = at.as_ref() {
            if control.cmsg_level == libc::SOL_UDP && control.cmsg_type == libc::UDP_GRO {
                let size: libc::c_int = libc::CMSG_DATA(at).cast::<libc::c_int>().read_unaligned();
                return usize::try_from(size).unwrap_or_default();
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
    0
}

fn interrupted_is_zero() -> io::Result<usize> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused => Ok(0),
        _ => Err(error),
    }
}

/// Asks for merged datagrams (Linux 5.0 and later; refused elsewhere, which costs nothing but speed).
pub(super) fn ask_for_gro(socket: RawFd) {
    set_flag(socket, libc::SOL_UDP, libc::UDP_GRO, 1);
}

/// Asks for a receive buffer past `net.core.rmem_max`, which needs CAP_NET_ADMIN. Returns whether it was given.
pub(super) fn force_buffer(socket: RawFd, bytes: usize) -> bool {
    set_flag(
        socket,
        libc::SOL_SOCKET,
        libc::SO_RCVBUFFORCE,
        libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX),
    )
}

/// Attaches the program that chooses among the sockets of a port (SO_ATTACH_REUSEPORT_CBPF).
pub(super) fn steer(socket: RawFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(program.len()).unwrap_or(libc::c_ushort::MAX),
        filter: program.as_ptr().cast_mut(),
    };
    let size = size_of_val(&program) as libc::socklen_t;
    // SAFETY: the pointer and the size describe `program`, which describes a slice; the kernel copies both and
    // writes neither.
    let done = unsafe {
        let option = libc::SO_ATTACH_REUSEPORT_CBPF;
        libc::setsockopt(socket, libc::SOL_SOCKET, option, (&raw const program).cast(), size)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_flag(socket: RawFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> bool {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer and the size describe `value`.
    unsafe { libc::setsockopt(socket, level, option, (&raw const value).cast(), size) == 0 }
}

/// The socket's drop counter (`SK_MEMINFO_DROPS` of SO_MEMINFO): the same counter that SO_RXQ_OVFL attaches to
/// datagrams, readable when none comes.
pub(super) fn drops(socket: RawFd) -> Option<u32> {
    const SO_MEMINFO: libc::c_int = 55;
    const DROPS: usize = 8;
    let mut info = [0_u32; 16];
    let mut size = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the pointer and the size describe `info`; the kernel writes at most that much.
    let done = unsafe {
        libc::getsockopt(socket, libc::SOL_SOCKET, SO_MEMINFO, info.as_mut_ptr().cast(), &raw mut size)
    };
    (done == 0 && size as usize > DROPS * size_of::<u32>()).then(|| info[DROPS])
}
