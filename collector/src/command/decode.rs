//! `weir decode`: what exporters sent, record by record, out of captures.

mod counters;
mod filter;
mod format;
mod interfaces;
mod progress;
mod session;

use std::cell::RefCell;
use std::fs::File;
use std::io::{IsTerminal, Read, Write, stderr, stdin, stdout};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use clap::{Args, ValueEnum};

use super::Failure;
use crate::capture::Reader;
use format::Writer;
use progress::Progress;
use session::Session;

const HELP: &str = "\
Print the flow records in captures, one by one, as the collector understands them.

FILE is a pcap or pcapng capture (Ethernet, also with VLAN tags; Linux cooked; loopback; raw IP; fragments are
put together) of which every UDP datagram is looked at, whatever its port; or it holds the payload of one
datagram; or it is - for standard input. NetFlow v5, v7 and v9, IPFIX and sFlow v5 are told apart by their
version. Templates, sampling rates and sequence numbers carry on from file to file in the order given, so the
file with the templates goes first.";

const EXAMPLES: &str = "\
Examples:
  weir decode exports.pcap                          a table on a terminal, else one JSON object a line
  weir decode --counters exports.pcap > /dev/null   only what the streams did: records, templates, gaps, reasons
  weir decode --exporter 192.0.2.1 *.pcap           one exporter of many
  weir decode --filter 'proto udp and port 53' exports.pcap
                                                    only some flows
  weir decode -o csv templates.bin data.bin         files with one payload each, in order
  tcpdump -i eth0 -U -w - udp port 2055 | weir decode -
                                                    live: records appear as they come
  weir decode -o json exports.pcap | jq 'select(.sampling_from == \"none\") | .exporter' | sort | uniq -c

When records are missing: --counters says why. unknown_template_sets: the capture does not hold the templates
(exporters repeat them every few minutes). undecodable: by reason. sequence.missing: lost on the way.
The fields are described in docs/fields.md; one that the exporter did not send is absent.

Exit code 0: all files were read; 1: one could not be opened or is damaged (what came before is printed);
2: wrong arguments; 3: the output could not be written.";

/// Decode the flow records in captures: what exporters really send
#[derive(Debug, Args)]
#[command(long_about = HELP, after_long_help = EXAMPLES, after_help = "`weir decode --help` shows examples.")]
pub(super) struct Decode {
    /// Captures, files with one UDP payload each, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Of captures: only what this address sent. Of payload files: who sent them, for they do not say (without
    /// it: 0.0.0.0)
    #[arg(long, value_name = "ADDR")]
    exporter: Option<IpAddr>,
    /// Only the flows that match: nfdump's filter language; host names are resolved once
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// How records are printed [default: table on a terminal, else json]
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
    /// At the end print what was counted as one JSON object on standard error
    #[arg(long)]
    counters: bool,
}

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object a line
    Json,
    /// Comma-separated, always the same columns
    Csv,
    /// Aligned columns for people
    Table,
}

impl Decode {
    /// Decodes every file; a file that cannot be read does not stop the others.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let on_terminal = stdout().is_terminal();
        let format = self.output.unwrap_or(if on_terminal { Format::Table } else { Format::Json });
        let filter = self.filter.as_deref().map(filter::row_filter).transpose()?;
        let writer = Writer::new(format, filter, Box::new(stdout().lock()));
        let session = RefCell::new(Session::new(writer, self.exporter.map(|address| address.to_canonical())));
        let mut reader = Reader::default();
        let mut progress = Progress::new(stderr().is_terminal() && !on_terminal);
        let mut failed = 0;
        for path in &self.files {
            match self.file(path, &mut reader, &session, &mut progress) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(message) => {
                    failed += 1;
                    progress.clear();
                    // Where nobody listens, the exit code still tells.
                    _ = writeln!(stderr(), "weir: {message}");
                }
            }
        }
        progress.clear();
        let report = session.into_inner().finish(&reader.counts())?;
        if self.counters {
            _ = writeln!(stderr(), "{}", report.json());
        } else if stderr().is_terminal() || report.records == 0 {
            _ = writeln!(stderr(), "{}", report.summary());
        }
        match failed {
            0 => Ok(()),
            count => {
                Err(Failure::Input(format!("{count} of {} files not read to the end", self.files.len())))
            }
        }
    }

    /// Reads one file; breaks off when nobody reads the output any more.
    fn file(
        &self,
        path: &Path,
        reader: &mut Reader,
        session: &RefCell<Session<'_>>,
        progress: &mut Progress,
    ) -> Result<ControlFlow<()>, String> {
        let name = path.display().to_string();
        if path.as_os_str() == "-" {
            let source = Live { source: stdin().lock(), session };
            return read(reader, "standard input", now_ms(), source, session);
        }
        let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
        let metadata = file.metadata().map_err(|error| format!("{name}: {error}"))?;
        if metadata.is_dir() {
            return Err(format!("{name}: is a folder; give the files in it: {name}/*"));
        }
        let written = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let written_ms = written.and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or(0);
        let source = progress.watch(&name, metadata.len(), file);
        read(reader, &name, written_ms, source, session)
    }
}

fn read(
    reader: &mut Reader,
    name: &str,
    written_ms: u64,
    source: impl Read,
    session: &RefCell<Session<'_>>,
) -> Result<ControlFlow<()>, String> {
    let mut take = |datagram: crate::capture::Datagram<'_>| session.borrow_mut().datagram(&datagram);
    let result = reader.read(name, written_ms, source, &mut take);
    result.map_err(|error| error.to_string())
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Standard input: what was decoded is printed before the next read, which may wait.
struct Live<'a, 'w, R> {
    source: R,
    session: &'a RefCell<Session<'w>>,
}

impl<R: Read> Read for Live<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.session.borrow_mut().flush();
        self.source.read(buffer)
    }
}
