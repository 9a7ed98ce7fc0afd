//! A capture with everything that agents do with sFlow, one datagram for each.

use etherparse::PacketBuilder;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn tagged(format: u32, body: &[u8]) -> Vec<u8> {
    [words(&[format, u32::try_from(body.len()).unwrap()]), body.to_vec()].concat()
}

fn flow(rate: u32, input: u32, output: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let head = words(&[1, 3, rate, 1000, 0, input, output, u32::try_from(records.len()).unwrap()]);
    tagged(1, &[head, records.concat()].concat())
}

fn expanded(input: [u32; 2], output: [u32; 2], records: &[Vec<u8>]) -> Vec<u8> {
    let head = [1, 0, 0x5000_0003, 512, 1000, 0, input[0], input[1], output[0], output[1], 1];
    tagged(3, &[words(&head), records.concat()].concat())
}

/// A raw header record: of a frame of `length` bytes its first 128, and 4 bytes of checksum stripped.
fn raw(protocol: u32, length: usize, frame: &[u8]) -> Vec<u8> {
    let header = &frame[..frame.len().min(128)];
    let [length, captured] = [length + 4, header.len()].map(|length| u32::try_from(length).unwrap());
    let mut body = [words(&[protocol, length, 4, captured]), header.to_vec()].concat();
    body.resize(body.len().next_multiple_of(4), 0);
    tagged(1, &body)
}

fn framed(frame: &[u8]) -> Vec<u8> {
    raw(1, frame.len(), frame)
}

/// 192.0.2.1 to 198.51.100.2 without a link layer.
fn ip(payload: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    let udp = PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 61).udp(4000, 53);
    udp.write(&mut packet, &vec![0; payload]).unwrap();
    packet
}

fn ethernet(before_ip: &[u8], packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], before_ip, packet].concat()
}

fn tcp() -> Vec<u8> {
    let mut frame = Vec::new();
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let tcp = link.ipv4([192, 0, 2, 1], [198, 51, 100, 2], 61).tcp(4000, 443, 1, 2).syn();
    tcp.write(&mut frame, &[0; 1000]).unwrap();
    frame
}

fn ipv6_icmp() -> Vec<u8> {
    let mut frame = Vec::new();
    let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let address = |last: u8| [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    link.ipv6(address(1), address(2), 255).icmpv6_echo_request(7, 1).write(&mut frame, &[0; 56]).unwrap();
    frame
}

fn vxlan() -> Vec<u8> {
    let inner = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &ethernet(&[8, 0], &ip(20))].concat();
    let mut packet = Vec::new();
    let outer = PacketBuilder::ipv4([203, 0, 113, 1], [203, 0, 113, 2], 64).udp(50_000, 4789);
    outer.write(&mut packet, &inner).unwrap();
    ethernet(&[8, 0], &packet)
}

/// An IPv4 packet behind a segment routing header with two segments.
fn segment_routed() -> Vec<u8> {
    let address = |last: u32| words(&[0x2001_0db8, 0, 0, last]);
    let header = [&[4, 4, 4, 1, 1, 0, 0, 0][..], &address(8), &address(9)].concat();
    let payload = [header, ip(400)].concat();
    let outer = [
        words(&[0x6000_0000, u32::try_from(payload.len()).unwrap() << 16 | 43 << 8 | 64]),
        address(1),
        address(9),
    ];
    ethernet(&[0x86, 0xdd], &[outer.concat(), payload].concat())
}

/// What the device changed: translation, labels and tags taken off, and the tunnel that it came through.
fn changes() -> Vec<Vec<u8>> {
    let user = [words(&[106, 5]), b"alice\0\0\0".to_vec(), words(&[106, 0])].concat();
    vec![
        tagged(1007, &words(&[1, 0xcb00_7101, 1, 0xcb00_7102])),
        tagged(1020, &words(&[61_000, 8443])),
        tagged(1006, &words(&[1, 0xc000_0203, 1, 16 << 12 | 5 << 9 | 1 << 8 | 64, 0])),
        tagged(1012, &words(&[2, 0x88a8_000a, 0x8100_0014])),
        tagged(1004, &user),
        tagged(1024, &words(&[1500, 17, 0xcb00_7103, 0xcb00_7104, 50_000, 4789, 0, 0])),
        tagged(1030, &words(&[5001])),
        framed(&tcp()),
    ]
}

fn gateway() -> Vec<u8> {
    let head = [1, 0xc000_0202, 64_511, 64_500, 64_501];
    let path = [2, 2, 2, 64_496, 64_497, 1, 2, 64_498, 64_499];
    let communities = [2, 64_496 << 16 | 100, 64_497 << 16 | 200, 100];
    tagged(1003, &words(&[&head[..], &path, &communities].concat()))
}

/// What headers agents sample.
fn headers() -> Vec<Vec<Vec<u8>>> {
    let mpls = [0x88, 0x47, 0, 1, 4, 64, 0xff, 0xff, 0xf1, 64];
    let pseudowire = [&mpls[..], &[0x0f, 0xff, 0, 1], &[2; 12], &[8, 0]].concat();
    let pppoe = [0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x21];
    let double = [0x88, 0xa8, 0, 100, 0x81, 0, 0, 200, 8, 0];
    let arp = ethernet(&[8, 6], &[&[0, 1, 8, 0, 6, 4, 0, 1][..], &[0; 38]].concat());
    let mut gso = tcp();
    gso[16..18].fill(0);
    let frames = [
        vec![framed(&tcp())],
        vec![framed(&ipv6_icmp())],
        vec![framed(&ethernet(&double, &ip(400)))],
        vec![framed(&ethernet(&mpls, &ip(400)))],
        vec![framed(&ethernet(&pseudowire, &ip(400)))],
        vec![framed(&ethernet(&pppoe, &ip(400)))],
        vec![framed(&vxlan())],
        vec![framed(&arp)],
        vec![raw(1, 9014, &gso)],
        vec![raw(11, 428, &ip(400))],
        vec![raw(1, 1054, &tcp()[..30])],
        vec![framed(&segment_routed())],
    ];
    frames.into_iter().map(|records| vec![flow(512, 3, 4, &records)]).collect()
}

/// Interfaces, rates and records beside the header.
fn samples() -> Vec<Vec<Vec<u8>>> {
    let record = [framed(&tcp())];
    let ethernet = tagged(2, &words(&[64, 0x0200_0000, 0x0001_0000, 0x0200_0000, 0x0002_0000, 0x0800]));
    let ipv4 = tagged(3, &words(&[1500, 6, 0xc000_0201, 0xc633_6402, 4000, 443, 2, 184]));
    let switch = tagged(1001, &words(&[100, 0, 0xffff_ffff, 0]));
    let router = tagged(1002, &words(&[1, 0xc000_0201, 24, 16]));
    let dropped = words(&[1, 0, 3, 0, 3, 0, 258, 1]);
    vec![
        vec![flow(512, 0x3fff_ffff, 3, &record)],
        vec![flow(512, 0, 0x8000_0002, &record)],
        vec![flow(512, 3, 0x4000_0000, &record)],
        vec![flow(0, 3, 4, &record)],
        vec![expanded([0, 0x5000_0003], [1, 258], &record)],
        vec![tagged(5, &[dropped, framed(&tcp())].concat())],
        vec![flow(512, 3, 4, &[switch, router, gateway(), framed(&tcp())])],
        vec![flow(512, 3, 4, &[ethernet, ipv4])],
        vec![flow(512, 3, 4, &changes())],
        vec![flow(512, 3, 4, &record), flow(512, 3, 4, &[framed(&ipv6_icmp())]), flow(0, 3, 4, &record)],
    ]
}

/// What is no flow, and what is broken.
fn oddities() -> Vec<Vec<Vec<u8>>> {
    let good = flow(512, 3, 4, &[framed(&tcp())]);
    let mut lying = good.clone();
    lying[8 + 32 + 4 + 3] = 255;
    vec![
        vec![tagged(2, &words(&[1, 3, 0])), tagged(4, &words(&[1, 0, 3, 0]))],
        vec![tagged(4413 << 12 | 1, &[0; 8]), good.clone()],
        vec![lying, good.clone()],
        vec![good.clone(), vec![0; 8]],
        vec![good[..good.len() - 10].to_vec()],
    ]
}

/// The whole capture, as a pcap file.
pub(crate) fn quirks() -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    let datagrams: Vec<_> = [headers(), samples(), oddities()].concat();
    let last = datagrams.len() - 1;
    for (at, samples) in datagrams.iter().enumerate() {
        // Of the datagram with bytes after its samples, the second is not announced.
        let announced = if at == last - 1 { 1 } else { samples.len() };
        // One datagram is missing before the last.
        let sequence = if at == last { at + 1 } else { at };
        let [announced, sequence] = [announced, sequence].map(|number| u32::try_from(number).unwrap());
        let head = words(&[5, 1, 0xc000_020a, 7, sequence, 1000, announced]);
        let payload = [head, samples.concat()].concat();
        push(&mut file, sequence, &payload);
        if at == 0 {
            push(&mut file, sequence, &payload);
        }
    }
    file
}

/// From 192.0.2.10 port 50000 to port 6343, a second after the packet before.
fn push(file: &mut Vec<u8>, second: u32, payload: &[u8]) {
    let mut packet = Vec::new();
    let udp = PacketBuilder::ipv4([192, 0, 2, 10], [192, 0, 2, 250], 64).udp(50_000, 6343);
    udp.write(&mut packet, payload).unwrap();
    let length = u32::try_from(packet.len()).unwrap();
    file.extend([1_767_225_600 + second, 0, length, length].map(u32::to_le_bytes).concat());
    file.extend(packet);
}
