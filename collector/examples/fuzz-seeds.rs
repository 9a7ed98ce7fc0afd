//! Writes the fuzz targets' seeds, made of the golden captures, into `FOLDER/<target>/`: `fuzz-seeds FOLDER`.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use collector::capture::Reader;

/// Datagrams of one seed of a whole conversation.
const A_SEED: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: fuzz-seeds FOLDER")?);
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captures");
    for entry in fs::read_dir(captures)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pcap") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            seeds(&folder, &name, &fs::read(&path)?)?;
        }
    }
    Ok(())
}

fn seeds(folder: &Path, name: &str, file: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut payloads = Vec::new();
    let _ = Reader::default().read(name, 0, file, &mut |datagram| {
        payloads.push(datagram.payload.to_vec());
        ControlFlow::Continue(())
    })?;
    write(folder, "capture", name, file)?;
    for (at, some) in payloads.chunks(A_SEED).enumerate() {
        write(folder, "decode", &format!("{name}-{at}"), &conversation(some))?;
    }
    for (at, payload) in payloads.iter().take(A_SEED).enumerate() {
        match payload.as_slice() {
            [0, 0, 0, 5, rest @ ..] => write(folder, "sflow", &format!("{name}-{at}"), rest)?,
            [0, 9, ..] => write(folder, "templates", &format!("{name}-{at}"), &sets(0, payload.get(20..)))?,
            [0, 10, ..] => write(folder, "templates", &format!("{name}-{at}"), &sets(1, payload.get(16..)))?,
            _ => {}
        }
    }
    Ok(())
}

fn write(folder: &Path, target: &str, name: &str, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), bytes)?)
}

/// Each datagram behind its length and a byte of circumstances; a cut after every other one.
fn conversation(payloads: &[Vec<u8>]) -> Vec<u8> {
    let one = |(at, payload): (usize, &Vec<u8>)| {
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&length[..], &[if at % 2 == 0 { 0 } else { 4 }], payload].concat()
    };
    payloads.iter().enumerate().flat_map(one).collect()
}

/// The sets of a message, as the target for templates reads them: length, what it is, body.
fn sets(first: u8, body: Option<&[u8]>) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.unwrap_or_default();
    while let [high, low, long, short, more @ ..] = rest {
        let id = u16::from_be_bytes([*high, *low]);
        let length = usize::from(u16::from_be_bytes([*long, *short]).saturating_sub(4)).min(more.len());
        let (body, after) = more.split_at(length);
        let what = match id {
            0 | 2 => 0,
            1 | 3 => 1,
            id => ((id & 0x3f) << 2 | 2) as u8,
        };
        let body = body.get(..body.len().min(255)).unwrap_or_default();
        out.extend([body.len() as u8, what]);
        out.extend(body);
        rest = after;
    }
    out
}
