//! What a person is told about a filter that is wrong.

use crds::filter::{FilterError, parse};

fn error(text: &str) -> FilterError {
    match parse(text) {
        Ok(expr) => panic!("`{text}` was taken as `{expr}`"),
        Err(error) => error,
    }
}

#[test]
fn a_known_slip_is_answered_with_the_right_form() {
    for (text, right) in [
        ("tcp", "proto tcp"),
        ("TCP and port 22", "proto tcp"),
        ("port 22-25", "port >= 22 and port <= 25"),
        ("port 22 - 25", "port >= 22 and port <= 25"),
        ("src 192.0.2.1", "src ip 192.0.2.1"),
        ("src 192.0.2.0/24", "src net 192.0.2.0/N"),
        ("dst 53", "dst port 53"),
        ("src tcp", "proto tcp"),
        ("192.0.2.1", "ip 192.0.2.1"),
        ("port not in [1 2]", "not port in [ ... ]"),
        ("port [1 2]", "port in [ ... ]"),
        ("port 22 port 23", "`and` or `or`"),
        ("proto tcp port 22", "`and` or `or`"),
        ("port 22, 23", "in [ 22 ... ]"),
        ("ip 192.0.2.0/24", "net 192.0.2.0/24"),
        ("flags s", "`S`"),
        ("bytes > 1.5k", "k, m, g, t"),
        ("bytes > 1kb", "k, m, g, t"),
        ("port 1 & port 2", "`and`"),
        ("port 1 | port 2", "`or`"),
        ("proto > 6", "not proto"),
        ("icmp", "proto icmp"),
        ("dport 53", "dst port"),
        ("ident a@b", "quotes"),
    ] {
        let error = error(text);
        let hint = error.hint.clone().unwrap_or_else(|| panic!("{text}: no hint in `{error}`"));
        assert!(hint.contains(right), "{text}: {hint}");
    }
}

#[test]
fn an_error_says_where_it_is_in_bytes_line_and_column() {
    let error = error("proto tcp # ä\n  and prot 22");
    assert_eq!((error.span.start, error.span.end), (21, 25));
    assert_eq!((error.line, error.column), (2, 7));
    assert_eq!(error.found, "prot");
    assert!(error.expected.contains("proto tcp"));
}

#[test]
fn columns_count_characters_and_offsets_count_bytes() {
    let error = error("ident \"äöü\" port");
    assert_eq!((error.span.start, error.column), (15, 13));
}

#[test]
fn what_was_expected_is_named() {
    for (text, expected) in [
        ("port", "a number for `port`"),
        ("port x", "a number for `port`"),
        ("(port 1", "`)`"),
        ("port 1)", "`and`, `or` or the end"),
        ("(port 1 port 2)", "`and`, `or` or `)`"),
        ("port in 22", "`[`"),
        ("port in []", "a number"),
        ("port in [22", "a number or `]`"),
        ("port in [22,]", "a number"),
        ("ip in [www.example.org]", "an address"),
        ("ip 300.1.1.1", "an address"),
        ("ip 2001:db8::1::2", "an address"),
        ("net 10.1", "a network"),
        ("net 192.0.2.0", "`/`"),
        ("mac 00:00:5e:00:53", "a MAC address"),
        ("first 2026", "`seen`"),
        ("first seen yesterday", "a time"),
        ("last seen 1969-12-31T00:00:00Z", "a time"),
        ("proto frob", "a protocol"),
        ("fwdstat frob", "Noroute"),
        ("mpls label11 5", "`label10`"),
        ("mpls label01 5", "`label10`"),
        ("community 70000:1", "a community"),
        ("geo CHE", "two letters"),
        ("tag a", "`=`"),
        ("port 1 and", "a test"),
        ("not", "a test"),
        ("ident \"open", "a `\"`"),
        ("asa event denied frob", "`nosyn`"),
        ("nat frob", "`event`"),
        ("observation 5", "`domain`"),
    ] {
        let error = error(text);
        assert!(error.expected.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_direction_that_a_field_does_not_have_is_refused_with_those_that_it_has() {
    for (text, expected) in [
        ("in port 22", "`src`, `dst`, `src and dst` or no direction"),
        ("src if 3", "`in`, `out` or no direction"),
        ("src flows 3", "no direction"),
        ("prev ip 192.0.2.1", "`src`"),
        ("acl 3", "`ingress` or `egress`"),
        ("src packets 3", "`in`, `out`"),
        ("boundary external", "`in` or `out`"),
    ] {
        let error = error(text);
        assert!(error.expected.contains(expected), "{text}: {error}");
        assert_eq!(error.line, 1);
    }
}

#[test]
fn a_value_out_of_range_is_refused_with_the_limit() {
    for (text, limit) in [
        ("port 65536", "65535"),
        ("proto 256", "255"),
        ("net 192.0.2.0/33", "32"),
        ("net 2001:db8::/129", "128"),
        ("as 4294967296", "4294967295"),
        ("mpls exp1 8", "7"),
        ("tos 256", "255"),
        ("bytes > 99999999t", "too large a number"),
        ("bytes > 0x10000000000000000", "too large a number"),
    ] {
        assert!(error(text).problem.contains(limit), "{text}: {}", error(text));
    }
}

#[test]
fn a_net_mask_with_holes_is_refused() {
    assert!(error("net 192.0.2.0 255.0.255.0").problem.contains("holes"));
    assert!(error("net 2001:db8:: 255.255.0.0").problem.contains("IPv4"));
}

#[test]
fn a_text_past_64_kib_is_refused() {
    let text = format!("{}port 22", " ".repeat(64 * 1024 - 7));
    assert!(parse(&text).is_ok());
    assert!(error(&format!(" {text}")).problem.contains("65536"));
}

#[test]
fn a_list_holds_ten_thousand_items_and_no_more() {
    let list = |items: usize| format!("port in [{}]", "1 ".repeat(items));
    assert!(parse(&list(10_000)).is_ok());
    assert!(error(&list(10_001)).problem.contains("10000"));
}

#[test]
fn nesting_is_taken_to_a_depth_of_one_hundred_and_no_deeper() {
    let nested = |depth: usize| format!("{}port 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(100)).is_ok());
    assert!(error(&nested(101)).problem.contains("100"));
    let negated = |depth: usize| format!("{}port 1", "not ".repeat(depth));
    assert!(parse(&negated(100)).is_ok());
    assert!(error(&negated(101)).problem.contains("100"));
    assert!(error(&"(".repeat(60_000)).problem.contains("100"));
}

#[test]
fn a_long_chain_is_no_deep_tree() {
    let chain = vec!["port 1"; 6_000].join(" or ");
    assert_eq!(parse(&chain).unwrap().to_string(), chain);
}
