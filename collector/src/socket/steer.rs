//! Which of a listener's sockets an exporter's datagrams go to: always the same one, whatever port it sends from.
//!
//! The kernel runs [`program`] on each datagram (SO_ATTACH_REUSEPORT_CBPF) and delivers to the socket whose
//! number it returns. The program sees the UDP payload at offset 0 and the IP header at `SKF_NET_OFF`, which
//! still is an IPv4 header when an IPv4 datagram reaches a dual-stack socket.

use std::net::IpAddr;

use libc::{
    BPF_ABS, BPF_ALU, BPF_B, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MISC, BPF_MUL, BPF_RET, BPF_RSH,
    BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter,
};

/// Sockets of one listener.
pub const LANES: usize = 8;

/// 2^32 / the golden ratio: neighboring addresses are spread evenly over the top bits of the product.
const SPREAD: u32 = 0x9e37_79b1;
/// Leaves the number of a lane.
const SHIFT: u32 = 32 - LANES.ilog2();

/// The socket (0 to 7) of every listener that gets what `address` sends.
pub fn lane(address: IpAddr) -> usize {
    let word = match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            words(v6.to_bits()).into_iter().fold(0_u32, |mixed, word| mixed.wrapping_mul(SPREAD) ^ word)
        }
    };
    (word.wrapping_mul(SPREAD) >> SHIFT) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each shift leaves the word that is meant in the low bits"
)]
fn words(bits: u128) -> [u32; 4] {
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

/// The same as [`lane`], for the kernel.
#[rustfmt::skip]
pub(super) fn program() -> [sock_filter; 21] {
    [
        load(BPF_B, 0), op(BPF_ALU | BPF_RSH, 4),
        // Version 6 goes on after the jump; everything else is read as IPv4.
        sock_filter { jt: 2, ..op(BPF_JMP | BPF_JEQ, 6) },
        load(BPF_W, 12), op(BPF_JMP | BPF_JA, 13),
        load(BPF_W, 8), op(BPF_ALU | BPF_MUL, SPREAD), op(BPF_MISC | BPF_TAX, 0),
        load(BPF_W, 12), op(BPF_ALU | BPF_XOR | BPF_X, 0), op(BPF_ALU | BPF_MUL, SPREAD), op(BPF_MISC | BPF_TAX, 0),
        load(BPF_W, 16), op(BPF_ALU | BPF_XOR | BPF_X, 0), op(BPF_ALU | BPF_MUL, SPREAD), op(BPF_MISC | BPF_TAX, 0),
        load(BPF_W, 20), op(BPF_ALU | BPF_XOR | BPF_X, 0),
        op(BPF_ALU | BPF_MUL, SPREAD), op(BPF_ALU | BPF_RSH, SHIFT),
        op(BPF_RET | BPF_A, 0),
    ]
}

/// Returns the accumulator; libc does not name it.
const BPF_A: u32 = 0x10;

/// Loads from the IP header.
fn load(size: u32, offset: u32) -> sock_filter {
    op(BPF_LD | BPF_ABS | size, libc::SKF_NET_OFF.cast_unsigned() + offset)
}

fn op(code: u32, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code | BPF_K).unwrap_or(u16::MAX), jt: 0, jf: 0, k }
}
