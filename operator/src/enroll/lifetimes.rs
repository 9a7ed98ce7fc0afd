//! The lifetimes that an administrator chooses, as flags of the program.

use std::time::Duration;

use super::rotation::Policy;

/// How long certificates live.
#[derive(Clone, Debug, clap::Args)]
pub struct Lifetimes {
    /// How long a program's certificate lives: it is renewed at a third
    #[arg(long, default_value = "7d", value_parser = duration, value_name = "DURATION")]
    certificate_lifetime: Duration,
    /// How long a root lives
    #[arg(long, default_value = "365d", value_parser = duration, value_name = "DURATION")]
    root_lifetime: Duration,
    /// Age at which a root is replaced, step by step, while everything goes on
    #[arg(long, default_value = "90d", value_parser = duration, value_name = "DURATION")]
    root_rotation: Duration,
}

impl Lifetimes {
    /// The policy: who chooses lives of minutes keeps clocks closer and listens for shorter.
    pub fn policy(&self) -> Policy {
        let usual = Policy::default();
        let half = self.certificate_lifetime / 2;
        Policy {
            leaf_lifetime: self.certificate_lifetime,
            ca_lifetime: self.root_lifetime,
            rotate_every: self.root_rotation,
            settle: usual.settle.min(half),
            clock_skew: usual.clock_skew.min(half),
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let millis = crds::config::duration::parse(text);
    millis.map(Duration::from_millis).ok_or_else(|| "a number and one of s, m, h, d, w, y: 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        lifetimes: Lifetimes,
    }

    fn policy(flags: &[&str]) -> Policy {
        let arguments = [&["program"][..], flags].concat();
        Program::try_parse_from(arguments).unwrap().lifetimes.policy()
    }

    #[test]
    fn the_flags_defaults_are_the_policys() {
        assert_eq!(policy(&[]), Policy::default());
    }

    #[test]
    fn lives_of_minutes_are_possible_and_shorten_what_waits_for_clocks() {
        let minute = Duration::from_mins(1);
        let policy =
            policy(&["--certificate-lifetime", "1m", "--root-lifetime", "1h", "--root-rotation", "0s"]);
        assert_eq!(
            (policy.leaf_lifetime, policy.settle, policy.clock_skew),
            (minute, minute / 2, minute / 2)
        );
        assert_eq!(policy.check(), Ok(()));
    }

    #[test]
    fn another_form_is_refused_with_the_right_one() {
        let error =
            Program::try_parse_from(["program", "--certificate-lifetime", "P7D"]).unwrap_err().to_string();
        assert!(error.contains("7d"), "{error}");
    }
}
