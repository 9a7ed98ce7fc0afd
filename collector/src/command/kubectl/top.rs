//! `kubectl weir top`: the channels of a profile by what flows through them now.

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use tokio::runtime::Runtime;

use super::CollectorArgument;
use super::cluster::Cluster;
use super::reach::Reached;
use crate::command::Failure;
use crate::command::client::Client;
use crate::command::profile;
use crate::serve::{LIVE, SeriesAnswer};

const EXAMPLES: &str = "\
The averages are over the last five minutes that were collected. Without a profile the sources are listed.

Examples:
  kubectl weir top
  kubectl weir -n flows top zone1-profile";

const WINDOW_MS: u64 = 300_000;

/// List the channels of a profile by their traffic
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Top {
    /// `name` or `namespace/name` of a profile
    #[arg(value_name = "PROFILE", default_value = LIVE)]
    profile: String,
    #[command(flatten)]
    collector: CollectorArgument,
}

impl Top {
    /// Prints one line a channel, the largest first.
    pub(super) fn run(&self, runtime: &Runtime, cluster: &Cluster) -> Result<(), Failure> {
        let name = profile::full(&self.profile, &cluster.namespace);
        let reached = runtime.block_on(Reached::new(cluster, &self.collector, Some(&name)))?;
        let client = reached.client()?;
        let to = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let ask = |metric| series(&client, &name, metric, to);
        let (bytes, packets, flows) = (ask("bytes")?, ask("packets")?, ask("flows")?);
        profile::print(&table(&bytes, &packets, &flows))
    }
}

fn series(client: &Client, profile: &str, metric: &str, to: u64) -> Result<SeriesAnswer, Failure> {
    let from = to.saturating_sub(WINDOW_MS);
    client.get(&format!("profiles/{profile}/series?metric={metric}&value=sum&from={from}&to={to}"))
}

/// Sum over the window by the time of it that was collected, for each line; nothing where nothing was collected.
fn averages(answer: &SeriesAnswer) -> Vec<(String, Option<f64>)> {
    let average = |values: &[Option<f64>]| {
        let known =
            values.iter().zip(&answer.covered).filter_map(|(value, covered)| Some(((*value)?, *covered)));
        let (sum, covered) =
            known.fold((0.0, 0), |(sum, all), (value, covered)| (sum + value, all + covered));
        #[allow(clippy::cast_precision_loss, reason = "five minutes of milliseconds")]
        (covered > 0).then(|| sum * 1000.0 / covered as f64)
    };
    answer.series.iter().map(|line| (line.channel.clone(), average(&line.values))).collect()
}

fn table(bytes: &SeriesAnswer, packets: &SeriesAnswer, flows: &SeriesAnswer) -> String {
    let of = |answers: &[(String, Option<f64>)], channel: &str| {
        answers.iter().find(|(name, _)| name == channel).and_then(|(_, value)| *value)
    };
    let (packets, flows) = (averages(packets), averages(flows));
    let mut rows = averages(bytes);
    rows.sort_by(|(a, x), (b, y)| y.unwrap_or(-1.0).total_cmp(&x.unwrap_or(-1.0)).then_with(|| a.cmp(b)));
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["CHANNEL", "BITS/S", "PACKETS/S", "FLOWS/S"]);
    for (channel, value) in rows {
        let cells = [value.map(|bytes| bytes * 8.0), of(&packets, &channel), of(&flows, &channel)];
        table.add_row([channel].into_iter().chain(cells.map(scaled)));
    }
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    profile::lines(&table)
}

/// With three digits and a decimal prefix; a dash where nothing was collected.
fn scaled(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let (mut value, mut prefix) = (value, 0);
    while value >= 999.5 && prefix + 1 < prefixes.len() {
        value /= 1000.0;
        prefix += 1;
    }
    let digits = if value >= 99.95 || (prefix == 0 && value.fract() == 0.0) {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$}{}", prefixes[prefix])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[(&str, &[Option<f64>])], covered: &[u64]) -> SeriesAnswer {
        let lines: Vec<_> = lines
            .iter()
            .map(|(channel, values)| serde_json::json!({"channel": channel, "values": values}))
            .collect();
        let none: [u64; 0] = [];
        serde_json::from_value(serde_json::json!({
            "from": 0, "to": 60_000, "step": 10_000, "unit": "bytes", "covered": covered, "markers": none,
            "coverage": {"expected": none, "present": none, "absent": none, "missing": none}, "series": lines,
        }))
        .unwrap()
    }

    #[test]
    fn the_largest_channel_stands_first_and_holes_take_no_part() {
        let covered = [10_000, 0, 10_000];
        let bytes = answer(
            &[
                ("dns", &[Some(1000.0), None, Some(1000.0)]),
                ("http", &[Some(5e6), None, Some(15e6)]),
                ("x", &[None; 3]),
            ],
            &covered,
        );
        let packets =
            answer(&[("dns", &[Some(10.0), None, Some(20.0)]), ("http", &[Some(1.0), None, None])], &covered);
        let expected = "\
CHANNEL  BITS/S  PACKETS/S  FLOWS/S
http      8.00M       0.10        -
dns         800       1.50        -
x             -          -        -
";
        assert_eq!(table(&bytes, &packets, &answer(&[], &covered)), expected);
    }

    #[test]
    fn numbers_have_three_digits_and_a_prefix() {
        for (value, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (7.0, "7"),
            (99.96, "100"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (123_456_789.0, "123M"),
            (2.5e12, "2.50T"),
        ] {
            assert_eq!(scaled(Some(value)), text);
        }
    }
}
