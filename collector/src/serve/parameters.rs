//! Query parameters: raw text becomes checked values once, or a problem that names the parameter.

use super::problem::Problem;

/// Numbers above this are not exact in JSON readers, and no time or size reaches it.
const LARGEST: u64 = 1 << 53;
/// The longest window that is answered: what retention can hold at most.
const LONGEST_WINDOW_MS: u64 = 20 * 366 * 86_400_000;
/// The most names in one list.
const LIST_LIMIT: usize = 1_024;

/// The pairs of one query string, each of a known name and given once.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Refuses unknown names and names given twice.
    pub(super) fn new(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        for (at, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(Problem::parameter(
                    name,
                    format!("unknown parameter {name:?}; known here: {known}"),
                ));
            }
            if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                let detail = format!("{name} is given twice; lists are separated by commas: {name}=a,b");
                return Err(Problem::parameter(name, detail));
            }
        }
        Ok(Self(pairs))
    }

    /// The text of a parameter, when it is given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The text of a parameter that has to be there.
    pub(super) fn needed(&self, name: &str, what: &str) -> Result<&str, Problem> {
        self.text(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Problem::parameter(name, format!("{name} is missing; give {what}")))
    }

    /// Names separated by commas; empty when the parameter is not given.
    pub(super) fn list(&self, name: &str) -> Result<Vec<String>, Problem> {
        let Some(text) = self.text(name) else { return Ok(Vec::new()) };
        let items: Vec<String> = text.split(',').map(str::to_owned).collect();
        if items.iter().any(String::is_empty) {
            let detail = format!("{name} has an empty name; give {name}=a,b or leave it out for all");
            return Err(Problem::parameter(name, detail));
        }
        if items.len() > LIST_LIMIT {
            return Err(Problem::parameter(name, format!("{name} has more than {LIST_LIMIT} names")));
        }
        Ok(items)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if number <= LARGEST => Ok(Some(number)),
            _ => {
                let detail = format!("{name}={text} is not a whole number from 0 to {LARGEST}");
                Err(Problem::parameter(name, detail))
            }
        }
    }

    /// One of a few words; the first one is the default.
    pub(super) fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
        let wanted = self.text(name).unwrap_or(choices[0].0);
        let found = choices.iter().find(|(word, _)| *word == wanted).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            Problem::parameter(name, format!("{name}={wanted} is none of {}", words.join(", ")))
        })
    }

    /// `from` and `to` in Unix milliseconds: until now and for `span_ms` where they are not given.
    pub(super) fn window(&self, now_ms: u64, span_ms: u64) -> Result<(u64, u64), Problem> {
        let to = self.number("to")?.unwrap_or(now_ms);
        let from = self.number("from")?.unwrap_or(to.saturating_sub(span_ms));
        if from >= to {
            let detail = format!("from={from} does not lie before to={to}; both are Unix milliseconds");
            return Err(Problem::parameter("from", detail));
        }
        if to - from > LONGEST_WINDOW_MS {
            let detail = format!("the window is longer than {LONGEST_WINDOW_MS} ms (20 years)");
            return Err(Problem::parameter("from", detail));
        }
        Ok((from, to))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &[&str] = &["from", "to", "names", "value"];

    fn parse(query: &[(&str, &str)]) -> Result<Parameters, Problem> {
        let pairs = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Parameters::new(pairs, KNOWN)
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let problem = parse(&[("form", "1")]).unwrap_err();
        assert_eq!(problem.parameter.as_deref(), Some("form"));
        assert_eq!(problem.detail, "unknown parameter \"form\"; known here: from, to, names, value");
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let problem = parse(&[("names", "a"), ("names", "b")]).unwrap_err();
        assert!(problem.detail.contains("names=a,b"), "{}", problem.detail);
    }

    #[test]
    fn a_window_ends_now_and_is_as_long_as_usual_unless_given() {
        assert_eq!(parse(&[]).unwrap().window(10_000, 3_000).unwrap(), (7_000, 10_000));
        assert_eq!(parse(&[("to", "5000")]).unwrap().window(10_000, 3_000).unwrap(), (2_000, 5_000));
        assert_eq!(parse(&[("from", "9000")]).unwrap().window(10_000, 3_000).unwrap(), (9_000, 10_000));
    }

    #[test]
    fn windows_that_are_reversed_empty_endless_or_no_numbers_are_refused() {
        for (from, to) in
            [("2", "1"), ("2", "2"), ("0", "900000000000000"), ("x", "2"), ("-1", "2"), ("1.5", "2")]
        {
            let refused = parse(&[("from", from), ("to", to)]).unwrap().window(10, 1);
            assert_eq!(refused.unwrap_err().status, 400, "{from} {to}");
        }
    }

    #[test]
    fn a_word_that_is_no_choice_is_refused_with_the_choices() {
        let choices = [("sum", 1), ("rate", 2)];
        assert_eq!(parse(&[]).unwrap().choice("value", &choices).unwrap(), 1);
        assert_eq!(parse(&[("value", "rate")]).unwrap().choice("value", &choices).unwrap(), 2);
        let problem = parse(&[("value", "mean")]).unwrap().choice("value", &choices).unwrap_err();
        assert_eq!(problem.detail, "value=mean is none of sum, rate");
    }

    #[test]
    fn lists_are_separated_by_commas_and_have_no_empty_names() {
        assert_eq!(parse(&[("names", "a,b")]).unwrap().list("names").unwrap(), ["a", "b"]);
        assert!(parse(&[]).unwrap().list("names").unwrap().is_empty());
        assert!(parse(&[("names", "a,,b")]).unwrap().list("names").is_err());
        assert!(parse(&[("names", "")]).unwrap().list("names").is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_given_becomes_values_or_a_problem(pairs: Vec<(String, String)>, from: String, to: String) {
            let _ = Parameters::new(pairs, KNOWN);
            let given = parse(&[("from", &from), ("to", &to), ("names", &from), ("value", &to)]).unwrap();
            let _ = (given.window(5, 1), given.list("names"), given.choice("value", &[("a", 1)]));
        }
    }
}
