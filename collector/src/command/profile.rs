//! `weir profile`: what profiles a running server has, as a list or in the form of NfSen's `nfsen -l`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use super::client::{Client, Server};

use crate::serve::{Channel, LIVE, Profile, ProfileDetail, ProfileList, Token, Usage};

const EXAMPLES: &str = "\
Examples:
  weir profile list
  weir profile show default/zone1
  weir profile show live --wait 60
  weir profile show -o json --server http://192.0.2.10:8470 --token-file token";

/// List the profiles of a running weir, or show what they hold
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ProfileCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One line a profile: a table on a terminal, else one JSON object a line
    List(Asked),
    /// Everything about one profile, or about all, in the form of `nfsen -l`
    Show {
        /// `namespace/name` (`name` alone is in the namespace default), or `live`
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Ask again until the profile holds data, for at most so many seconds
        #[arg(long, value_name = "SECONDS", requires = "name", value_parser = clap::value_parser!(u64).range(1..=3600))]
        wait: Option<u64>,
        #[command(flatten)]
        asked: Asked,
    },
}

#[derive(Debug, Args)]
struct Asked {
    /// Address of the aggregator or standalone weir
    #[arg(long, default_value = "http://127.0.0.1:8470", value_name = "URL")]
    server: String,
    /// File with the server's token, where it wants one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File with the roots that an https server's certificate has to chain to [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl ProfileCommand {
    /// Asks the server and prints its answer.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let text = match &self.what {
            What::List(asked) => list(&asked.client()?, asked.output)?,
            What::Show { name, wait, asked } => {
                let name = name.as_deref().map(|name| full(name, "default"));
                let client = asked.client()?;
                if let (Some(name), Some(seconds)) = (&name, wait) {
                    counted(&client, name, Duration::from_secs(*seconds))?;
                }
                show(&client, name.as_deref(), asked.output)?
            }
        };
        print(&text)
    }
}

impl Asked {
    fn client(&self) -> Result<Client, Failure> {
        let token = self.token_file.as_deref().map(Token::read).transpose();
        let token = token.map_err(|error| Failure::Input(error.to_string()))?;
        let roots = self.ca_file.as_deref().map(|file| {
            std::fs::read(file)
                .map_err(|error| Failure::Input(format!("--ca-file {}: {error}", file.display())))
        });
        Client::new(Server {
            address: self.server.clone(),
            token: token.map(|token| token.reveal()),
            roots: roots.transpose()?,
            forwarded: None,
            when_away: "start weir there, or give --server URL",
            when_unauthorized: "give --token-file FILE",
        })
    }
}

/// Standard output, all of it.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::System(format!("standard output: {error}")))
}

/// Returns once the profile holds data. Whatever stands in the way may pass: the server starts, rights come.
fn counted(client: &Client, name: &str, within: Duration) -> Result<(), Failure> {
    let end = Instant::now() + within;
    loop {
        let answer: Result<ProfileDetail, Failure> = client.get(&format!("profiles/{name}"));
        let why = match answer {
            Ok(ProfileDetail { usage: Usage { end: Some(_), .. }, .. }) => return Ok(()),
            Ok(_) => Failure::Input(format!("{name} holds no data: nothing came that it counts")),
            Err(why) => why,
        };
        if Instant::now() > end {
            return Err(why);
        }
        client.pause(Duration::from_secs(1));
    }
}

/// One line a profile.
pub(super) fn list(client: &Client, output: Option<Output>) -> Result<String, Failure> {
    let list: ProfileList = client.get("profiles")?;
    let usual = if std::io::stdout().is_terminal() { Output::Text } else { Output::Json };
    match output.unwrap_or(usual) {
        Output::Json => Ok(ndjson(&list.profiles)),
        Output::Text => Ok(table(&list.profiles)),
    }
}

/// Everything about a profile (`namespace/name`), or about all.
pub(super) fn show(client: &Client, name: Option<&str>, output: Option<Output>) -> Result<String, Failure> {
    let list: ProfileList = client.get("profiles")?;
    let names: Vec<String> = match name {
        Some(name) => vec![name.to_owned()],
        None => list.profiles.iter().map(|profile| profile.name.clone()).collect(),
    };
    let details: Vec<ProfileDetail> =
        names.iter().map(|name| client.get(&format!("profiles/{name}"))).collect::<Result<_, _>>()?;
    if output == Some(Output::Json) {
        return Ok(ndjson(&details));
    }
    let live = list.profiles.iter().find(|profile| profile.name == LIVE);
    let sources: Vec<&str> =
        live.iter().flat_map(|live| &live.channels).map(|channel| channel.name.as_str()).collect();
    let blocks: Vec<String> = details.iter().map(|detail| nfsen(detail, &sources)).collect();
    Ok(blocks.join("\n"))
}

/// A name without a namespace is in the usual one, as in `kubectl`.
pub(super) fn full(name: &str, usual: &str) -> String {
    if name == LIVE || name.contains('/') { name.to_owned() } else { format!("{usual}/{name}") }
}

fn ndjson(values: &[impl Serialize]) -> String {
    values.iter().filter_map(|value| serde_json::to_string(value).ok()).map(|line| line + "\n").collect()
}

fn table(profiles: &[Profile]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["NAME", "DISPLAY NAME", "GROUP", "CHANNELS", "TOP"]);
    for profile in profiles {
        let tops: Vec<&str> = profile.top.iter().map(|top| top.element.as_str()).collect();
        let channels = profile.channels.len().to_string();
        table.add_row([&profile.name, &profile.display_name, &profile.group, &channels, &tops.join(",")]);
    }
    lines(&table)
}

/// A table's lines, without spaces at their ends.
pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The form of `nfsen -l`. What Weir has no value for is left out.
fn nfsen(detail: &ProfileDetail, sources: &[&str]) -> String {
    let ProfileDetail { profile, usage } = detail;
    let mut lines = vec![
        format!("name\t{}", profile.name),
        format!("group\t{}", if profile.group.is_empty() { "(nogroup)" } else { &profile.group }),
    ];
    lines.extend(times(usage));
    lines.push(format!("size\t{}", usage.bytes));
    lines.push("type\tcontinuous".to_owned());
    // NfSen's words: a profile is new until its first data are there.
    lines.push(format!("status\t{}", if usage.end.is_some() { "OK" } else { "new" }));
    lines.extend(profile.channels.iter().map(|channel| channel_line(channel, sources)));
    lines.join("\n") + "\n"
}

fn times(usage: &Usage) -> Vec<String> {
    let line = |name: &str, ms: Option<u64>| {
        let time = Timestamp::from_millisecond(i64::try_from(ms?).ok()?).ok()?;
        Some(format!("{name}\t{time}"))
    };
    [line("tstart", usage.start), line("tend", usage.end), line("updated", usage.end)]
        .into_iter()
        .flatten()
        .collect()
}

fn channel_line(channel: &Channel, sources: &[&str]) -> String {
    let Channel { name, sign, color, order, .. } = channel;
    let own: Vec<&str> = channel.sources.iter().map(String::as_str).collect();
    let listed = if own.is_empty() { sources } else { own.as_slice() };
    let mut line = format!("channel {name}\tsign: {sign}\tcolour: {color}\torder: {order}");
    if !listed.is_empty() {
        line.push_str(&format!("\tsourcelist: {}", listed.join("|")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail() -> ProfileDetail {
        let channel = |name: &str, sign: &str, order, sources: &[&str]| Channel {
            name: name.into(),
            color: "#AEFF20".into(),
            sign: sign.into(),
            order,
            filter: "port 80".into(),
            sources: sources.iter().map(|source| (*source).into()).collect(),
        };
        ProfileDetail {
            profile: Profile {
                name: "default/zone1".into(),
                display_name: "zone1_profile".into(),
                description: String::new(),
                group: String::new(),
                built_in: false,
                channels: vec![channel("http", "+", 1, &[]), channel("dns", "-", 2, &["peer1", "peer2"])],
                top: Vec::new(),
            },
            usage: Usage { start: Some(1_000), end: Some(86_400_000), bytes: 4_096, ..Usage::default() },
        }
    }

    #[test]
    fn a_profile_is_shown_as_nfsen_lists_it() {
        let text = nfsen(&detail(), &["netflow-global", "peer1"]);
        let expected = "name\tdefault/zone1\n\
                        group\t(nogroup)\n\
                        tstart\t1970-01-01T00:00:01Z\n\
                        tend\t1970-01-02T00:00:00Z\n\
                        updated\t1970-01-02T00:00:00Z\n\
                        size\t4096\n\
                        type\tcontinuous\n\
                        status\tOK\n\
                        channel http\tsign: +\tcolour: #AEFF20\torder: 1\tsourcelist: netflow-global|peer1\n\
                        channel dns\tsign: -\tcolour: #AEFF20\torder: 2\tsourcelist: peer1|peer2\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_has_no_value_yet_is_left_out() {
        let text = nfsen(&ProfileDetail { usage: Usage::default(), ..detail() }, &[]);
        for absent in
            ["tcreate", "tstart", "tend", "updated", "expire", "maxsize", "locked", "version", "Files"]
        {
            assert!(!text.contains(absent), "{absent} is invented:\n{text}");
        }
        assert!(text.contains("status\tnew\n"), "{text}");
    }

    #[test]
    fn a_list_has_one_line_a_profile_under_a_head() {
        let text = table(&[detail().profile]);
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = text.lines().map(words).collect();
        assert_eq!(lines[0], ["NAME", "DISPLAY", "NAME", "GROUP", "CHANNELS", "TOP"]);
        assert_eq!(lines[1..], [["default/zone1", "zone1_profile", "2"]]);
    }

    #[test]
    fn a_bare_name_is_in_the_usual_namespace() {
        assert_eq!(full("zone1", "default"), "default/zone1");
        assert_eq!(full("net/zone1", "default"), "net/zone1");
        assert_eq!(full("live", "default"), "live");
    }
}
