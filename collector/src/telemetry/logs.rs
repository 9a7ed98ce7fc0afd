//! Logs go to standard error: text for people on a terminal, JSON for machines everywhere else.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The flags that every subcommand takes.
#[derive(Clone, Debug, Args)]
pub struct LogOptions {
    /// How logs are written to standard error [default: text on a terminal, else json]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or by module (info,collector::decode=debug)
    #[arg(long = "log", global = true, default_value = "info", value_name = "LEVEL")]
    pub level: String,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is no level and no list of `module=level`.
    #[error(
        "--log {text}: {reason}; use error, warn, info, debug, trace, or a list such as info,collector::decode=debug"
    )]
    Level {
        /// As given.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// Something else in this process already logs.
    #[error("logging is already set up")]
    Twice,
}

impl LogOptions {
    /// Sends the process's logs to standard error.
    ///
    /// # Errors
    /// When the level cannot be read, or when the process already logs.
    pub fn start(&self) -> Result<(), LogError> {
        let terminal = std::io::stderr().is_terminal();
        let lines =
            tracing_subscriber::fmt().with_env_filter(filter(&self.level)?).with_writer(std::io::stderr);
        let set = match chosen(self.log_format, terminal) {
            LogFormat::Text => lines.with_ansi(terminal).with_target(false).try_init(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
        };
        set.map_err(|_| LogError::Twice)
    }
}

fn chosen(format: Option<LogFormat>, terminal: bool) -> LogFormat {
    format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json })
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let refuse = |reason: String| LogError::Level { text: level.to_owned(), reason };
    // A bare word that is no level would be taken for a module's name and silence everything else.
    for part in level.split(',').map(str::trim).filter(|part| !part.contains(['=', ':'])) {
        if part.is_empty() {
            return Err(refuse("a level is missing".to_owned()));
        }
        part.parse::<tracing::level_filters::LevelFilter>().map_err(|e| refuse(e.to_string()))?;
    }
    EnvFilter::builder().parse(level).map_err(|e| refuse(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_text_on_a_terminal_and_json_elsewhere_unless_told() {
        assert_eq!(chosen(None, true), LogFormat::Text);
        assert_eq!(chosen(None, false), LogFormat::Json);
        assert_eq!(chosen(Some(LogFormat::Text), false), LogFormat::Text);
        assert_eq!(chosen(Some(LogFormat::Json), true), LogFormat::Json);
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_the_right_forms() {
        for good in ["info", "WARN", "off", "info,collector::decode=debug"] {
            filter(good).unwrap();
        }
        for bad in ["verbose", "", "info,collector::decode=loud"] {
            let text = filter(bad).unwrap_err().to_string();
            assert!(text.contains("use error, warn, info"), "{bad}: {text}");
        }
    }
}
