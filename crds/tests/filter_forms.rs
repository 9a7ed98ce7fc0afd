//! Every form of the filter language, with the canonical form that it prints as.

use crds::filter::{Context, check, parse};

/// What may be written, and how it prints.
const FORMS: &[(&str, &str)] = &[
    ("", "any"),
    ("  # only a comment", "any"),
    ("ANY", "any"),
    ("ident peer1", "ident peer1"),
    ("ident 'a b'", "ident \"a b\""),
    ("ident 'say \"so\"'", "ident 'say \"so\"'"),
    ("ident \"and\"", "ident \"and\""),
    ("ipv4", "inet"),
    ("inet", "inet"),
    ("IPv6", "inet6"),
    ("inet6", "inet6"),
    ("proto tcp", "proto tcp"),
    ("proto 6", "proto tcp"),
    ("proto = UDP", "proto udp"),
    ("proto 200", "proto 200"),
    ("proto ipv6-icmp", "proto icmp6"),
    ("tun proto gre", "tun proto gre"),
    ("packets > 1k", "packets > 1000"),
    ("in packets 0x10", "in packets 16"),
    ("out bytes >= 2m", "out bytes >= 2000000"),
    ("bytes le 3g", "bytes <= 3000000000"),
    ("flows = 1", "flows 1"),
    ("pps gt 10", "pps > 10"),
    ("bps < 1t", "bps < 1000000000000"),
    ("bpp ge 60", "bpp >= 60"),
    ("duration lt 100", "duration < 100"),
    ("count == 7", "count 7"),
    ("ip 192.0.2.1", "ip 192.0.2.1"),
    ("src host 2001:DB8::1", "src ip 2001:db8::1"),
    ("ip ::ffff:192.0.2.1", "ip 192.0.2.1"),
    ("dst ip www.example.org", "dst ip www.example.org"),
    ("src or dst ip 192.0.2.1", "ip 192.0.2.1"),
    ("src and dst ip 192.0.2.1", "src and dst ip 192.0.2.1"),
    ("src && dst port 53", "src and dst port 53"),
    ("ip in [192.0.2.1, 198.51.100.0/24 2001:db8::/32]", "ip in [192.0.2.1 198.51.100.0/24 2001:db8::/32]"),
    ("src ip in [192.0.2.1/32 10.1/16]", "src ip in [192.0.2.1 10.1.0.0/16]"),
    ("next ip 192.0.2.1", "next ip 192.0.2.1"),
    ("bgpnext ip 192.0.2.1", "bgp next ip 192.0.2.1"),
    ("bgp next ip 192.0.2.1", "bgp next ip 192.0.2.1"),
    ("router ip 192.0.2.1", "exporter ip 192.0.2.1"),
    ("exporter ip 192.0.2.1", "exporter ip 192.0.2.1"),
    ("tunip 192.0.2.1", "tun ip 192.0.2.1"),
    ("src tun ip 192.0.2.1", "src tun ip 192.0.2.1"),
    ("net 192.0.2.0/24", "net 192.0.2.0/24"),
    ("src net 10.1.9.9/16", "src net 10.1.0.0/16"),
    ("dst net 10.1/16", "dst net 10.1.0.0/16"),
    ("net 10/8", "net 10.0.0.0/8"),
    ("net 192.0.2.0 255.255.255.0", "net 192.0.2.0/24"),
    ("net 2001:db8::/32", "net 2001:db8::/32"),
    ("net ::ffff:192.0.2.0/120", "net 192.0.2.0/24"),
    ("port 22", "port 22"),
    ("src port > 1024", "src port > 1024"),
    ("dst port != 53", "dst port != 53"),
    ("port in [22 23,80]", "port in [22 23 80]"),
    ("as 64496", "as 64496"),
    ("src as in [64496 64497]", "src as in [64496 64497]"),
    ("previous as 64496", "prev as 64496"),
    ("next as 64496", "next as 64496"),
    ("src mask 24", "src mask 24"),
    ("in if 3", "in if 3"),
    ("if 3", "if 3"),
    ("dst vlan 100", "dst vlan 100"),
    ("mac 00:00:5E:00:53:01", "mac 00:00:5e:00:53:01"),
    ("in src mac 0:0:5e:0:53:1", "in src mac 00:00:5e:00:53:01"),
    ("out dst mac 00-00-5e-00-53-01", "out dst mac 00:00:5e:00:53:01"),
    ("tos 16", "tos 16"),
    ("dst tos > 4", "dst tos > 4"),
    ("flags S", "flags S"),
    ("flags XEC", "flags FSRPAUEC"),
    ("flags = SA", "flags = SA"),
    ("flags > 16", "flags > 16"),
    ("icmp-type 8", "icmp type 8"),
    ("icmp type > 3", "icmp type > 3"),
    ("icmp-code 0", "icmp code 0"),
    ("icmp code 3", "icmp code 3"),
    ("fwdstat 64", "fwdstat 64"),
    ("fwdstat drop", "fwdstat Drop"),
    ("flowdir 0", "dir ingress"),
    ("dir egress", "dir egress"),
    ("engine-type 1", "engine type 1"),
    ("engine id = 2", "engine id 2"),
    ("sysid 1", "exporter id 1"),
    ("exporter id 1", "exporter id 1"),
    ("observation domain id 5", "observation domain id 5"),
    ("observation point id > 5", "observation point id > 5"),
    ("mpls label1 100", "mpls label1 100"),
    ("mpls label10 > 100", "mpls label10 > 100"),
    ("mpls exp2 = 3", "mpls exp2 3"),
    ("mpls eos 100", "mpls eos 100"),
    ("mpls any < 16", "mpls any < 16"),
    ("src geo ch", "src geo CH"),
    ("country DE", "geo DE"),
    ("min ttl < 5", "min ttl < 5"),
    ("max ttl 255", "max ttl 255"),
    ("ethertype 0x86dd", "etherType 34525"),
    ("first seen > 2026-01-31T08:00", "first seen > 2026-01-31T08:00:00Z"),
    ("last seen 2026-01-31", "last seen 2026-01-31T00:00:00Z"),
    ("last seen <= '2026-01-31T08:00:00+02:00'", "last seen <= 2026-01-31T06:00:00Z"),
    ("first seen >= 2026-01-31T08:00:00.250Z", "first seen >= 2026-01-31T08:00:00.25Z"),
    ("client latency > 5", "client latency > 5"),
    ("server latency 5", "server latency 5"),
    ("app latency 5", "app latency 5"),
    ("asa event deny", "asa event 3"),
    ("asa event > 2", "asa event > 2"),
    ("asa event denied nosyn", "asa xevent 1004"),
    ("asa xevent 1001", "asa xevent 1001"),
    ("xip 192.0.2.1", "nat ip 192.0.2.1"),
    ("src xip 192.0.2.1", "src nat ip 192.0.2.1"),
    ("dst nat ip 192.0.2.1", "dst nat ip 192.0.2.1"),
    ("xnet 192.0.2.0/24", "xnet 192.0.2.0/24"),
    ("xport 80", "nport 80"),
    ("src nport > 80", "src nport > 80"),
    ("ingress acl 0x1f", "ingress acl 31"),
    ("egress ace 1", "egress ace 1"),
    ("ingress xace 1", "ingress xace 1"),
    ("nat event add", "nat event 1"),
    ("nat event >= 4", "nat event >= 4"),
    ("ingress vrf 5", "ingress vrf 5"),
    ("nat pblock start 1024", "nat pblock start 1024"),
    ("nat pblock end < 1024", "nat pblock end < 1024"),
    ("nat pblock step 2", "nat pblock step 2"),
    ("pblock size 64", "nat pblock size 64"),
    ("src port in pblock", "src port in pblock"),
    ("payload content 'x'", "payload content \"x\""),
    ("payload regex \"^a b\"", "payload regex \"^a b\""),
    ("src namespace shop", "src namespace shop"),
    ("pod web-0", "pod web-0"),
    ("dst workload web", "dst workload web"),
    ("service web", "service web"),
    ("node n1", "node n1"),
    ("in boundary external", "in boundary external"),
    ("out boundary INTERNAL", "out boundary internal"),
    ("in if \"eth0\"", "in if \"eth0\""),
    ("tag team=web", "tag team=web"),
    ("tag 'a b'='c d'", "tag \"a b\"=\"c d\""),
    ("network lab", "network lab"),
    ("threat", "threat"),
    ("threat and any", "threat and any"),
    ("threat feed1", "threat feed1"),
    ("as path contains 64496", "as path contains 64496"),
    ("community 64496:100", "community 64496:100"),
    ("port 1 and port 2 or port 3", "port 1 and port 2 or port 3"),
    ("port 1 and (port 2 or port 3)", "port 1 and (port 2 or port 3)"),
    ("(port 1 and port 2) and port 3", "port 1 and port 2 and port 3"),
    ("port 1 or (port 2 or port 3)", "port 1 or port 2 or port 3"),
    ("not not port 1", "not not port 1"),
    ("!(port 1 || port 2) && port 3", "not (port 1 or port 2) and port 3"),
    ("not port 1 and port 2", "not port 1 and port 2"),
    ("port 1 # ssh\n and port 2", "port 1 and port 2"),
];

/// Forms of which this version has no column, by the words that the error must hold.
const UNCOLLECTED: &[(&str, &str)] = &[
    ("namespace shop", "namespaces"),
    ("pod web-0", "pods"),
    ("workload web", "workloads"),
    ("service web", "services"),
    ("node n1", "node"),
    ("in boundary external", "boundary"),
    ("in if 'eth0'", "names of interfaces"),
    ("tag a=b", "tags"),
    ("network lab", "networks"),
    ("threat", "threat"),
    ("geo CH", "countries"),
    ("payload content 'x'", "payload"),
    ("tun proto gre", "tunnel"),
    ("tun ip 192.0.2.1", "tunnel"),
    ("tun ip in [192.0.2.1]", "tunnel"),
    ("count 7", "record numbers"),
    ("sysid 1", "exporter numbers"),
];

#[test]
fn every_form_prints_as_its_canonical_form_and_parses_back_to_the_same_tree() {
    for (text, canonical) in FORMS {
        let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.to_string(), *canonical, "{text}");
        assert_eq!(parse(canonical).unwrap(), expr, "{text}");
    }
}

#[test]
fn a_term_that_nothing_collects_is_refused_by_name_and_place() {
    for (text, word) in UNCOLLECTED {
        let whole = format!("proto tcp and not ({text})");
        let errors = check(&whole, Context::TYPED).expect_err(text);
        assert_eq!(errors.len(), 1, "{text}");
        assert!(errors[0].problem.starts_with("this version does not collect "), "{}", errors[0]);
        assert!(errors[0].problem.contains(word), "{}", errors[0]);
        assert_eq!(errors[0].found, *text);
    }
}

#[test]
fn every_other_form_is_accepted_where_a_person_types_it() {
    for (text, _) in FORMS {
        let expr = parse(text).unwrap();
        let mut refused = false;
        expr.for_each_term(&mut |term, _| refused |= crds::filter::uncollected(term).is_some());
        assert_eq!(check(text, Context::TYPED).is_err(), refused, "{text}");
    }
}

#[test]
fn all_refused_terms_are_named_at_once() {
    let errors = check("geo CH or pod a or port 1 or ip www.example.org", Context::PROFILE).unwrap_err();
    let found: Vec<_> = errors.iter().map(|error| error.found.as_str()).collect();
    assert_eq!(found, ["geo CH", "pod a", "ip www.example.org"]);
}

#[test]
fn host_names_are_refused_in_a_profile_and_resolved_for_a_person() {
    let text = "port 53 and src ip www.example.org";
    let errors = check(text, Context::PROFILE).unwrap_err();
    assert_eq!(errors[0].span.start, 12);
    assert!(errors[0].hint.as_ref().unwrap().contains("address"));

    let mut expr = check(text, Context::TYPED).unwrap();
    let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    expr.resolve(text, &mut |_| Ok::<_, String>(addresses.clone())).unwrap();
    assert_eq!(expr.to_string(), "port 53 and src ip in [192.0.2.1 2001:db8::1]");
}

#[test]
fn a_host_name_without_an_address_is_an_error_at_its_place() {
    let text = "ip nowhere.example";
    let mut expr = check(text, Context::TYPED).unwrap();
    let error = expr.resolve(text, &mut |_| Ok::<_, String>(Vec::new())).unwrap_err();
    assert_eq!((error.span.start, error.span.end), (0, text.len()));
    let error = expr.resolve(text, &mut |_| Err("no such host")).unwrap_err();
    assert!(error.problem.contains("no such host"), "{error}");
}
