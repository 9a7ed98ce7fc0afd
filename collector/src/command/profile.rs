//! `weir profile`: what profiles a running server has, as a list or in the form of NfSen's `nfsen -l`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use client::Client;

use crate::serve::{Channel, LIVE, Profile, ProfileDetail, ProfileList, Usage};

mod client;

const EXAMPLES: &str = "\
Examples:
  weir profile list
  weir profile show default/zone1
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
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl ProfileCommand {
    /// Asks the server and prints its answer.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let text = match &self.what {
            What::List(asked) => list(asked)?,
            What::Show { name, asked } => show(name.as_deref(), asked)?,
        };
        std::io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(|error| Failure::System(format!("standard output: {error}")))
    }
}

fn list(asked: &Asked) -> Result<String, Failure> {
    let client = Client::new(&asked.server, asked.token_file.as_deref())?;
    let list: ProfileList = client.get("profiles")?;
    let usual = if std::io::stdout().is_terminal() { Output::Text } else { Output::Json };
    match asked.output.unwrap_or(usual) {
        Output::Json => Ok(ndjson(&list.profiles)),
        Output::Text => Ok(table(&list.profiles)),
    }
}

fn show(name: Option<&str>, asked: &Asked) -> Result<String, Failure> {
    let client = Client::new(&asked.server, asked.token_file.as_deref())?;
    let list: ProfileList = client.get("profiles")?;
    let names: Vec<String> = match name {
        Some(name) => vec![full(name)],
        None => list.profiles.iter().map(|profile| profile.name.clone()).collect(),
    };
    let details: Vec<ProfileDetail> =
        names.iter().map(|name| client.get(&format!("profiles/{name}"))).collect::<Result<_, _>>()?;
    if asked.output == Some(Output::Json) {
        return Ok(ndjson(&details));
    }
    let live = list.profiles.iter().find(|profile| profile.name == LIVE);
    let sources: Vec<&str> =
        live.iter().flat_map(|live| &live.channels).map(|channel| channel.name.as_str()).collect();
    let blocks: Vec<String> = details.iter().map(|detail| nfsen(detail, &sources)).collect();
    Ok(blocks.join("\n"))
}

/// A name without a namespace is in `default`, as in `kubectl`.
fn full(name: &str) -> String {
    if name == LIVE || name.contains('/') { name.to_owned() } else { format!("default/{name}") }
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
    fn a_bare_name_is_in_the_namespace_default() {
        assert_eq!(full("zone1"), "default/zone1");
        assert_eq!(full("net/zone1"), "net/zone1");
        assert_eq!(full("live"), "live");
    }
}
