//! The odd corners that caused bugs in collectors, and the test that holds each: records and counters.

use std::fs;
use std::path::Path;

const CORNERS: &[(&str, &[&str])] = &[
    (
        "sampling: by interface, by sampler, for the system, by selector (34, 35, 48 to 50, 302, 304 to 306)",
        &[
            "a_rate_scoped_by_interface_holds_for_flows_through_it_and_in_counts_before_out",
            "a_sampler_in_options_gives_the_rate_of_records_that_refer_to_it",
            "a_rate_for_the_whole_exporter_applies_to_all_its_records",
            "packet_interval_and_space_tell_the_rate_of_a_selector",
            "rates_that_are_no_whole_numbers_are_kept_as_fractions",
        ],
    ),
    ("sampling: in the data record", &["the_record_s_own_rate_wins_over_what_options_told"]),
    ("sampling: two rates at one exporter", &["two_samplers_of_one_exporter_have_a_rate_each"]),
    (
        "sampling: options of another source id, in the same packet, after the data",
        &[
            "options_of_another_source_id_hold_for_domains_about_which_nobody_told_anything",
            "options_in_the_same_packet_as_data_hold_for_what_follows_them",
            "a_stream_that_names_a_sampler_without_a_rate_is_marked_until_options_tell_it",
        ],
    ),
    (
        "sampling: 14 bits of interval and 2 of mode in v5",
        &["the_sampling_interval_counts_whatever_the_mode_bits_say"],
    ),
    (
        "sampling: a balancer splits options and data by source port",
        &["behind_a_balancer_options_of_one_port_hold_for_data_of_another_while_ports_agree"],
    ),
    (
        "sampling: rate 0",
        &["a_rate_of_zero_in_options_is_none_and_an_interval_of_zero_in_v5_is_one", "a_rate_of_0_is_no_rate"],
    ),
    (
        "templates: another shape under a known number",
        &["a_changed_shape_under_one_number_is_counted_and_used_from_then_on"],
    ),
    (
        "templates: data before its template",
        &[
            "data_before_its_template_waits_and_keeps_its_time",
            "data_before_its_template_in_the_same_message_is_read",
        ],
    ),
    (
        "templates: withdrawal",
        &[
            "a_withdrawn_template_is_forgotten",
            "a_withdrawal_takes_one_template_and_a_withdrawal_of_all_takes_those_of_its_kind",
        ],
    ),
    (
        "templates: one number for flows and options",
        &["the_newest_definition_of_a_number_counts_be_it_of_flows_or_of_options"],
    ),
    ("templates: scope lengths of v9", &["scopes_of_length_zero_and_options_without_any_scope_are_options"]),
    (
        "templates: padding up to 7 bytes, of every kind",
        &[
            "padding_of_one_to_seven_bytes_behind_the_records_is_passed_over",
            "padding_behind_a_template_is_passed_over",
            "padding_as_an_element_of_its_own_is_no_value",
        ],
    ),
    ("templates: a tail of zeros", &["zeros_that_fill_the_rest_of_a_datagram_are_no_sets"]),
    ("templates: fields of length 0", &["fields_of_length_zero_take_no_bytes"]),
    ("templates: one field twice", &["a_field_that_stands_twice_counts_once_and_its_second_value_is_shown"]),
    ("templates: reduced sizes", &["integers_are_read_in_every_reduced_size"]),
    (
        "templates: both address families in one record",
        &[
            "with_both_families_in_one_record_the_one_that_is_not_zero_counts",
            "with_both_families_filled_the_ip_version_decides_and_else_it_is_ipv4",
        ],
    ),
    (
        "templates: variable lengths with the escape 255",
        &["lengths_in_front_of_variable_fields_take_one_byte_or_three"],
    ),
    (
        "time: the uptime wraps",
        &[
            "uptimes_before_the_counter_wrapped_are_in_the_past",
            "uptimes_in_ipfix_wrap_after_49_days_and_below_the_start_of_the_system",
            "uptime_wraps_and_records_younger_than_the_header_keep_their_time",
            "the_uptime_of_a_v9_exporter_that_goes_on_may_wrap_while_the_edge_is_down",
        ],
    ),
    ("time: first and last after the uptime", &["uptimes_after_the_headers_are_in_the_future"]),
    ("time: no time at all", &["a_record_without_any_time_has_that_of_the_export"]),
    (
        "time: seconds to nanoseconds, and from the system's start",
        &[
            "absolute_times_of_every_precision_are_read",
            "uptimes_in_ipfix_count_from_the_records_start_of_the_system",
            "uptimes_in_ipfix_count_from_the_start_of_the_system_that_options_told",
        ],
    ),
    ("time: 158 and 159", &["microseconds_before_the_export_are_subtracted_from_it"]),
    ("counters: after observation", &["post_counters_stand_apart_and_serve_where_there_are_no_others"]),
    (
        "counters: initiator and responder, RFC 5103, NSEL",
        &[
            "initiator_and_responder_are_both_directions_with_packets_and_without",
            "reverse_elements_are_the_other_direction_with_its_flags",
            "firewall_and_translation_events_have_no_counters",
        ],
    ),
    (
        "counters: totals",
        &["totals_alone_are_the_counters_and_say_so", "totals_beside_deltas_stand_among_the_other_elements"],
    ),
    ("counters: 32 bits", &["four_byte_counters_reach_their_largest_value"]),
    ("label stacks, 70 to 79", &["a_label_stack_ends_at_its_bottom_and_empty_entries_are_filling"]),
    (
        "SRv6",
        &[
            "segments_are_read_in_each_form_of_rfc_9487",
            "a_segment_routing_header_gives_its_list_and_how_many_are_left",
        ],
    ),
    (
        "Ethernet over MPLS, with and without a control word",
        &["ethernet_over_mpls_is_passed_with_and_without_a_control_word"],
    ),
    ("IPFIX 315", &["a_sampled_frame_is_one_packet_of_its_ip_length_with_the_columns_of_its_headers"]),
    ("sFlow: interfaces that are none", &["interfaces_that_are_none_say_why"]),
    ("sFlow: notifications of drops", &["a_notification_of_a_dropped_packet_is_an_event_without_counters"]),
    ("VXLAN: the inner packet", &["the_first_tunnelled_header_goes_to_the_inner_columns"]),
    (
        "sFlow: agents that are not the sender",
        &["agents_and_sub_agents_behind_one_address_have_sequences_and_interfaces_of_their_own"],
    ),
    (
        "sequence: v5 counts flows, v9 packets, IPFIX data records and no templates, sFlow datagrams and samples",
        &[
            "a_gap_is_missing_exactly_and_a_late_datagram_fills_it",
            "a_gap_of_v9_is_so_many_packets_and_its_records_are_unknown",
            "the_sequence_counts_data_records_and_options_records",
            "a_real_loss_of_sflow_is_never_taken_for_a_habit",
        ],
    ),
    (
        "sequence: restarts and reordering",
        &[
            "an_exporter_that_restarts_begins_an_epoch_without_loss",
            "a_datagram_that_precedes_the_first_one_seen_is_late_and_nothing_is_missing",
        ],
    ),
    (
        "sequence: an exporter that counts templates",
        &["ipfix_that_counts_templates_too_is_judged_by_all_records"],
    ),
    (
        "sequence: an exporter that counts all its domains together",
        &["one_sequence_over_all_domains_is_told_from_a_loss_at_once"],
    ),
];

/// The names of the tests below a folder.
fn tests_in(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten().map(|entry| entry.path()) {
        if entry.is_dir() {
            tests_in(&entry, found);
        } else if let Ok(text) = fs::read_to_string(&entry) {
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split_once("()"));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn every_odd_corner_names_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = Vec::new();
    for folder in ["tests/decoding", "src/decode"] {
        tests_in(&root.join(folder), &mut tests);
    }
    let named = CORNERS.iter().flat_map(|(_, names)| *names);
    let missing: Vec<_> = named.filter(|name| !tests.iter().any(|test| test == *name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
