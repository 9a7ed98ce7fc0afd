//! Every metric of the programs: name as scraped, kind, labels, help. No other file spells a metric's name.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Seconds, in fixed buckets.
    Histogram,
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $kind:ident [$($label:literal),*];)+) => {
        /// One metric; [`Metric::ALL`] is the whole table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Metric {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Metric {
            /// Every metric, in the order in which they are scraped.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as it is scraped.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Counter, gauge or histogram.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The labels' names, in the order in which values are given.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($label),*],)+ }
            }

            /// One sentence for the scraper.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

metrics! {
    /// The running version; always 1.
    BuildInfo "weir_build_info" Gauge ["version"];
    /// Memory of this process that is in RAM.
    ResidentMemory "weir_resident_memory_bytes" Gauge [];

    /// Datagrams, or messages of TCP connections, read by a listener.
    Datagrams "weir_datagrams_total" Counter ["edge", "listener"];
    /// Datagrams that the kernel dropped because the receive buffer of one of a listener's sockets was full.
    KernelDrops "weir_kernel_drops_total" Counter ["edge", "listener", "socket"];
    /// TCP connections that are open.
    Connections "weir_connections" Gauge ["edge", "listener"];
    /// TCP connections that were closed, by reason.
    ConnectionsClosed "weir_connections_closed_total" Counter ["edge", "listener", "reason"];
    /// Datagrams that belong to no stream, by reason.
    RejectedDatagrams "weir_rejected_datagrams_total" Counter ["edge", "listener", "reason"];

    /// Datagrams given to the network for each destination of an export target, or flows acknowledged by it.
    TargetSent "weir_export_sent_total" Counter ["edge", "target"];
    /// Datagrams for each destination of an export target, or flows, that were not delivered, by reason.
    TargetDropped "weir_export_dropped_total" Counter ["edge", "target", "reason"];

    /// Streams known (listener, exporter, port, version, domain).
    Streams "weir_streams" Gauge ["edge", "source", "protocol"];
    /// Flow records decoded.
    Records "weir_records_total" Counter ["edge", "source", "protocol"];
    /// Options data records decoded.
    OptionsRecords "weir_options_records_total" Counter ["edge", "source", "protocol"];
    /// Template definitions read.
    Templates "weir_templates_total" Counter ["edge", "source", "protocol"];
    /// Template definitions that gave a known number another shape.
    TemplateChanges "weir_template_changes_total" Counter ["edge", "source", "protocol"];
    /// Template definitions that contradict what another port of the exporter announced under the number.
    TemplateConflicts "weir_template_conflicts_total" Counter ["edge", "source", "protocol"];
    /// Data sets that came before their template.
    UnknownTemplateSets "weir_unknown_template_sets_total" Counter ["edge", "source", "protocol"];
    /// Data records (sFlow: samples) in the datagrams received: decoded, undecodable and waiting ones together.
    RecordsReceived "weir_records_received" Gauge ["edge", "source", "protocol"];
    /// Records that could not be decoded, by reason.
    Undecodable "weir_undecodable_records_total" Counter ["edge", "source", "protocol", "reason"];
    /// What was wrong with sets, templates, samples and datagrams, by reason.
    Faults "weir_faults_total" Counter ["edge", "source", "protocol", "reason"];
    /// Data sets that could not be decoded and whose records cannot be counted.
    UncountedSets "weir_uncounted_sets_total" Counter ["edge", "source", "protocol"];
    /// Their bytes.
    UncountedBytes "weir_uncounted_bytes_total" Counter ["edge", "source", "protocol"];
    /// Records that wait for their template, where their messages tell how many.
    WaitingRecords "weir_waiting_records" Gauge ["edge", "source", "protocol"];
    /// Bytes of the data sets that wait for their template.
    WaitingBytes "weir_waiting_bytes" Gauge ["edge", "source", "protocol"];
    /// Sequence units sent by exporters: received - duplicates + missing, in flows, packets, records or datagrams.
    SequenceExpected "weir_sequence_expected" Gauge ["edge", "source", "protocol"];
    /// Sequence units received, duplicates included; falls when a stream turns out to count another unit.
    SequenceReceived "weir_sequence_received" Gauge ["edge", "source", "protocol"];
    /// Sequence units received twice.
    SequenceDuplicates "weir_sequence_duplicates" Gauge ["edge", "source", "protocol"];
    /// Sequence units missing; falls when a late datagram fills a gap.
    SequenceMissing "weir_sequence_missing" Gauge ["edge", "source", "protocol"];
    /// Datagrams that came after a later one.
    SequenceReordered "weir_sequence_reordered" Gauge ["edge", "source", "protocol"];
    /// Times that exporters started anew.
    ExporterRestarts "weir_exporter_restarts" Gauge ["edge", "source", "protocol"];
    /// Streams whose sequence numbers do not count what their protocol says.
    NonstandardStreams "weir_nonstandard_streams" Gauge ["edge", "source", "protocol"];
    /// Flow samples received (sFlow).
    Samples "weir_samples_total" Counter ["edge", "source", "protocol"];
    /// Flow samples missing by their own sequence numbers (sFlow).
    SamplesMissing "weir_samples_missing" Gauge ["edge", "source", "protocol"];
    /// Samples that agents say they dropped (sFlow).
    ExporterDrops "weir_exporter_dropped_samples_total" Counter ["edge", "source", "protocol"];
    /// Records of formats that Weir does not read, in samples that it decoded (sFlow).
    SkippedRecords "weir_skipped_records_total" Counter ["edge", "source", "protocol"];
    /// What exporters say in options data that they lost: ignored packets and bytes, flows, packets and bytes not sent.
    Declared "weir_declared_losses_total" Counter ["edge", "source", "protocol", "what"];

    /// Streams forgotten because too many were known; those silent for longest go first.
    StreamsEvicted "weir_streams_evicted_total" Counter [];

    /// Blocks applied since this process started.
    BlocksApplied "weir_blocks_applied_total" Counter [];
    /// Blocks that came again after they had been applied.
    BlocksRepeated "weir_blocks_repeated_total" Counter [];
    /// Blocks that came before one that is missing, and were sent back.
    BlocksEarly "weir_blocks_early_total" Counter [];
    /// Connections and requests that the ingest port refused, by reason.
    IngestRefused "weir_ingest_refused_total" Counter ["reason"];
    /// Number of the last block applied from an edge's spool.
    BlockNumber "weir_block_number" Gauge ["edge"];
    /// Unix time at which the edge made the last block applied.
    BlockTime "weir_block_made_timestamp_seconds" Gauge ["edge"];
    /// Blocks in this process's spool that the aggregator does not have yet.
    SpoolBlocks "weir_spool_blocks" Gauge ["edge"];
    /// Size of this process's spool on disk.
    SpoolBytes "weir_spool_bytes" Gauge ["edge"];
    /// Blocks that an edge gave up because its spool was full, hung or could not be written, by reason.
    SpoolDroppedBlocks "weir_spool_dropped_blocks_total" Counter ["edge", "reason"];
    /// Flow records that the blocks given up had counted.
    SpoolDroppedRecords "weir_spool_dropped_records_total" Counter ["edge", "reason"];

    /// Series kept (channel and source).
    Series "weir_series" Gauge [];
    /// Rows refused because there were too many series.
    SeriesRefused "weir_series_refused_rows_total" Counter [];
    /// Size of the series store on disk.
    StoreBytes "weir_store_bytes" Gauge [];
    /// Times that what was counted went from memory into the store.
    Checkpoints "weir_store_checkpoints_total" Counter [];
    /// Writes to the journal or the store that failed.
    FailedWrites "weir_store_failed_writes_total" Counter [];
    /// Journal records found damaged at the start; their blocks are lost.
    DamagedRecords "weir_journal_damaged_records_total" Counter [];
    /// Profiles configured, the built-in one not counted.
    Profiles "weir_profiles" Gauge [];

    /// HTTP requests answered, by route and status class.
    Requests "weir_http_requests_total" Counter ["route", "status"];
    /// Time from a request's head to its answer's head.
    RequestSeconds "weir_http_request_duration_seconds" Histogram ["route"];
    /// HTTP requests refused before a route saw them, by reason.
    RequestsRefused "weir_http_requests_refused_total" Counter ["reason"];
    /// Times that Kubernetes said that a user may not see what was asked for.
    AccessDenied "weir_access_denied_total" Counter [];
    /// Points of series served.
    PointsServed "weir_points_served_total" Counter [];
    /// Live streams of slots now open.
    LiveStreams "weir_live_streams" Gauge [];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `promtool check metrics` asks of names and help texts.
    #[test]
    fn every_metric_keeps_to_the_conventions_of_prometheus() {
        for metric in Metric::ALL {
            let name = metric.name();
            assert!(name.starts_with("weir_"), "{name}: no prefix");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{name}"
            );
            assert_eq!(
                name.ends_with("_total"),
                metric.kind() == Kind::Counter,
                "{name}: _total marks counters"
            );
            for abbreviated in ["_ms", "_secs", "_kb", "_milliseconds", "_percent", "_bits"] {
                assert!(!name.contains(abbreviated), "{name}: not a base unit");
            }
            assert!(metric.help().ends_with('.'), "{name}: the help is one sentence");
            assert!(!metric.help().contains(['\n', '\\', '"']), "{name}: the help needs no escapes");
            for label in metric.labels() {
                assert!(
                    label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && *label != "le",
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn no_name_stands_for_two_metrics() {
        let mut names: Vec<_> = Metric::ALL.iter().map(|m| m.name().trim_end_matches("_total")).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
