//! A test cluster by hand: `cluster up`, `cluster down`, `cluster programs`. `make cluster-up` calls it.

use std::io::{self, Write};
use std::process::ExitCode;

use e2e::cluster::{Cluster, programs, take_down_kept};

const USAGE: &str = "usage: cluster up [NODES] | down | programs";

fn main() -> io::Result<ExitCode> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up"] => up(2)?,
        ["up", nodes] => match nodes.parse() {
            Ok(nodes) if nodes <= 28 => up(nodes)?,
            _ => return refuse(&format!("{nodes} is no number of nodes: 0 to 28")),
        },
        ["down"] => down()?,
        ["programs"] => programs::build_all(),
        _ => return refuse(USAGE),
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(why: &str) -> io::Result<ExitCode> {
    writeln!(io::stderr(), "{why}")?;
    Ok(ExitCode::from(2))
}

fn up(nodes: u8) -> io::Result<()> {
    let cluster = Cluster::start(nodes);
    let kubeconfig = cluster.kubeconfig();
    cluster.keep();
    let kubectl = programs::program("kubectl");
    let mut out = io::stdout();
    writeln!(out, "the cluster is up; `make cluster-down` takes it down")?;
    writeln!(out, "  export KUBECONFIG={}", kubeconfig.display())?;
    writeln!(out, "  {} get pods --all-namespaces", kubectl.display())
}

fn down() -> io::Result<()> {
    for folder in take_down_kept() {
        writeln!(io::stdout(), "took down {}", folder.display())?;
    }
    Ok(())
}
