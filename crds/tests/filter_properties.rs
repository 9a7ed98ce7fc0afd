//! What holds for every filter: it prints as a text that parses back to it, and no text makes the parser fail
//! in any other way than with an error inside the text.

use proptest::prelude::*;

use crds::filter::{Context, check, parse};

/// One term of the language as text, also in forms that are not canonical.
fn term() -> impl Strategy<Value = String> {
    let side = prop_oneof![Just(""), Just("src "), Just("DST "), Just("src or dst "), Just("src and dst ")];
    let way = prop_oneof![Just(""), Just("in "), Just("out ")];
    let compare =
        prop_oneof![Just(" "), Just(" = "), Just("=="), Just(" > "), Just("<="), Just(" ge "), Just("!=")];
    let name = "[A-Za-z0-9_:.\\-]{1,8}|'[^']{0,8}'|\"[^\"]{0,8}\"";
    prop_oneof![
        (side.clone(), compare.clone(), any::<u16>()).prop_map(|(d, c, n)| format!("{d}port{c}{n}")),
        (side.clone(), compare.clone(), any::<u32>()).prop_map(|(d, c, n)| format!("{d}as{c}{n:#x}")),
        (way.clone(), compare.clone(), 0_u64..9_000_000, "[kmgtKMGT]?")
            .prop_map(|(d, c, n, s)| format!("{d}bytes{c}{n}{s}")),
        (compare.clone(), any::<u64>()).prop_map(|(c, n)| format!("bps{c}{n}")),
        (side.clone(), any::<[u8; 4]>()).prop_map(|(d, a)| format!("{d}ip {}", std::net::Ipv4Addr::from(a))),
        (side.clone(), any::<u128>()).prop_map(|(d, a)| format!("{d}host {}", std::net::Ipv6Addr::from(a))),
        (side.clone(), any::<u128>(), 0..=128_u8)
            .prop_map(|(d, a, n)| format!("{d}net {}/{n}", std::net::Ipv6Addr::from(a))),
        (side.clone(), any::<[u8; 4]>(), 0..=32_u8)
            .prop_map(|(d, a, n)| format!("{d}net {}/{n}", std::net::Ipv4Addr::from(a))),
        (side.clone(), prop::collection::vec((any::<[u8; 4]>(), 0..=32_u8), 1..6)).prop_map(|(d, list)| {
            let items: Vec<_> =
                list.into_iter().map(|(a, n)| format!("{}/{n}", std::net::Ipv4Addr::from(a))).collect();
            format!("{d}ip in [{}]", items.join(", "))
        }),
        (side.clone(), prop::collection::vec(any::<u16>(), 1..6))
            .prop_map(|(d, list)| format!("{d}port in {list:?}")),
        any::<u64>().prop_map(|mac| {
            let [_, _, a, b, c, d, e, f] = mac.to_be_bytes();
            format!("in src mac {a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}")
        }),
        any::<u8>().prop_map(|n| format!("proto {n}")),
        "flags =? ?[AFPRSUXEC]{1,9}",
        (compare, 0..253_402_207_200_i64, 0..1000_u16).prop_map(|(c, seconds, ms)| {
            let (days, rest) = (seconds / 86_400, seconds % 86_400);
            let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
            format!("last seen{c}{date}T{:02}:{:02}:{:02}.{ms:03}", rest / 3600, rest / 60 % 60, rest % 60)
        }),
        name.prop_map(|name| format!("ident {name}")),
        (side, name).prop_map(|(d, name)| format!("{d}pod {name}")),
        (name, name).prop_map(|(key, value)| format!("tag {key}={value}")),
        name.prop_map(|name| format!("threat {name}")),
        (way, name).prop_map(|(d, name)| format!("{d}if '{}'", name.replace('\'', ""))),
        "[a-z]{1,6}(\\.[a-z]{1,6}){0,2}".prop_map(|name| format!("ip {name}")),
        Just("any".to_owned()),
        Just("threat".to_owned()),
    ]
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join("\n|| ")),
            inner.clone().prop_map(|part| format!("not {part}")),
            inner.clone().prop_map(|part| format!("!({part})")),
            inner.prop_map(|part| format!("( {part} )")),
        ]
    })
}

/// Words of the language in any order: near to a filter, and seldom one.
fn near_filter() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "src",
        "dst",
        "in",
        "out",
        "ip",
        "net",
        "port",
        "proto",
        "tcp",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        ",",
        "/",
        "=",
        ">",
        "!=",
        "22",
        "0x",
        "1.5k",
        "192.0.2.1",
        "::",
        "24",
        "flags",
        "S",
        "ä",
        "'",
        "\"",
        "#",
        "\n",
        "if",
        "as",
        "path",
        "contains",
        "nat",
        "event",
        "mpls",
        "label1",
        "seen",
        "first",
        "&&",
        "asa",
        "denied",
        "tag",
        "threat",
        "observation",
        "id",
        "-",
        "prev",
        "next",
        "bgp",
    ]);
    prop::collection::vec(word, 0..20).prop_map(|words| words.join(" "))
}

fn errors_lie_within(text: &str) {
    for error in check(text, Context::PROFILE).err().unwrap_or_default() {
        assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
        assert!(!error.problem.is_empty());
        assert_eq!(error.found, text[error.span.start..error.span.end]);
    }
}

/// A filter within a scope, as a tenant's channel has it.
fn within(scope: &str, filter: &str) -> Option<String> {
    let collector = serde_json::from_value(serde_json::json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowCollector", "metadata": {"name": "a"},
        "spec": {"tenants": [{"namespace": "default", "scope": scope}]},
    }));
    let profile = serde_json::from_value(serde_json::json!({
        "apiVersion": "weir.dev/v1alpha1", "kind": "FlowProfile", "metadata": {"name": "a"},
        "spec": {"channels": [{"name": "a", "filter": filter}]},
    }));
    let made =
        crds::config::check_profile(Some(&collector.expect("a collector")), &profile.expect("a profile"))
            .ok()?;
    Some(made.channels[0].filter.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_filter_prints_as_a_text_that_parses_back_to_the_same_tree(text in filter()) {
        if let Ok(expr) = parse(&text) {
            let printed = expr.to_string();
            prop_assert_eq!(&parse(&printed).expect(&printed), &expr, "{}", printed);
            prop_assert_eq!(parse(&printed).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_the_generator_writes_is_nearly_always_a_filter(text in term()) {
        // `ident and`, `ip in`: names that are words of the language where they stand are taken, too.
        let taken = parse(&text);
        prop_assert!(taken.is_ok(), "{}: {}", text, taken.unwrap_err());
    }

    #[test]
    fn words_in_any_order_give_a_filter_or_an_error_within_the_text(text in near_filter()) {
        errors_lie_within(&text);
        if let Ok(expr) = parse(&text) {
            prop_assert_eq!(parse(&expr.to_string()).unwrap(), expr);
        }
    }

    #[test]
    fn any_text_gives_a_filter_or_an_error_within_the_text(text in any::<String>()) {
        errors_lie_within(&text);
    }

    #[test]
    fn a_filter_within_a_scope_lets_pass_what_both_let_pass_and_no_text_breaks_out(
        scope in filter(), text in prop_oneof![filter(), near_filter(), "[a-z()# \n]{0,24}"], comment in any::<bool>()
    ) {
        let text = if comment { format!("{text} # all of it") } else { text };
        let tree = |text: &str| parse(text).map(|expr| expr.to_string());
        prop_assume!(parse(&scope).is_ok());
        let blank = text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'));
        match within(&scope, &text) {
            // A filter that may stand alone may stand within every scope.
            None => prop_assert!(check(&text, Context::PROFILE).is_err()),
            Some(joined) if blank => prop_assert_eq!(tree(&joined).ok(), tree(&scope).ok()),
            Some(joined) => {
                let (scope, text) = (tree(&scope).unwrap(), tree(&text).unwrap());
                prop_assert_eq!(tree(&joined).ok(), tree(&format!("({scope}) and ({text})")).ok());
            }
        }
    }
}
