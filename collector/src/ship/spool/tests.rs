//! What the spool promises, on real folders.

use super::*;
use crate::ship::merge::tests::block;

fn open(folder: &Path, bytes: u64) -> Spool {
    Spool::open(folder, Limits { bytes, ..Limits::default() }).unwrap()
}

fn numbers(spool: &mut Spool) -> Vec<(u64, u64)> {
    let decoded = |bytes: Vec<u8>| slot::decode(&bytes).unwrap();
    spool.oldest().unwrap().into_iter().map(decoded).map(|block| (block.first, block.number)).collect()
}

/// Flows of all blocks that wait, and the records said to be given up.
fn sums(spool: &Spool) -> (u64, u64) {
    let mut sums = (0, 0);
    for entry in &spool.entries {
        let block = slot::decode(&fs::read(spool.path(entry)).unwrap()).unwrap();
        let rows = block.additions.iter().flat_map(|addition| &addition.rows);
        sums.0 += rows.map(|row| row.counters.all().flows).sum::<u64>();
        sums.1 += block.dropped.records();
    }
    sums
}

#[test]
fn numbers_continue_over_a_restart_and_unacknowledged_blocks_are_still_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    let id = spool.id();
    for at in 0..3 {
        spool.append(block(at * 2_000, "a", 1));
    }
    spool.acknowledge(1);
    drop(spool);
    let mut spool = open(folder.path(), 1 << 20);
    assert_eq!(spool.id(), id);
    spool.append(block(6_000, "a", 1));
    spool.acknowledge(1);
    assert_eq!(numbers(&mut spool), [(2, 2), (3, 3), (4, 4)]);
}

#[test]
fn numbers_continue_when_every_block_was_acknowledged_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    for at in 0..65 {
        spool.append(block(at * 2_000, "a", at + 1));
        spool.acknowledge(at + 1);
    }
    spool.checkpoint();
    assert!(block_files(folder.path()).unwrap().is_empty());
    drop(spool);
    let spool = open(folder.path(), 1 << 20);
    assert_eq!(spool.last(), 65);
    assert_eq!(spool.watermarks()[0].next_sequence, 65, "where the stream stood is still known");
}

#[test]
fn a_second_process_is_told_who_holds_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let _spool = open(folder.path(), 1 << 20);
    let error = Spool::open(folder.path(), Limits::default()).unwrap_err().to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
}

/// Appends 400 blocks to a spool of so many bytes; gives the flows kept and those said to be lost.
fn filled(bytes: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), bytes);
    for at in 0..400 {
        spool.append(block(at * 2_000, "a", 1));
        let (kept, lost) = sums(&spool);
        assert_eq!(kept + lost, at + 1);
        assert!(spool.waiting().1 <= bytes, "{} bytes", spool.waiting().1);
    }
    assert!(spool.entries.iter().any(|entry| entry.slot_ms >= 60_000));
    sums(&spool)
}

#[test]
fn a_full_spool_merges_slots_before_it_gives_any_flow_up() {
    assert_eq!(filled(3_000), (400, 0));
}

#[test]
fn a_spool_that_is_full_of_merged_slots_gives_up_the_oldest_and_says_so() {
    let (kept, lost) = filled(700);
    assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost");
}

#[test]
fn blocks_that_may_have_been_sent_are_never_merged() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 3_000);
    for at in 0..4 {
        spool.append(block(at * 2_000, "a", 1));
    }
    assert_eq!(numbers(&mut spool).len(), 4);
    drop(spool);
    let mut spool = open(folder.path(), 3_000);
    for at in 4..100 {
        spool.append(block(at * 2_000, "a", 1));
    }
    assert_eq!(numbers(&mut spool)[..4], [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn a_damaged_block_is_set_aside_and_the_rest_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    for at in 0..3 {
        spool.append(block(at * 2_000, "a", 1));
    }
    let path = spool.path(&spool.entries[2]);
    drop(spool);
    let cut = fs::read(&path).unwrap();
    fs::write(&path, &cut[..cut.len() / 2]).unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    assert!(path.with_extension("damaged").exists());
    spool.append(block(6_000, "a", 1));
    let newest = slot::decode(&fs::read(spool.path(&spool.entries[2])).unwrap()).unwrap();
    assert_eq!(
        (newest.number, newest.dropped.blocks()),
        (3, 1),
        "its number was never sent, and its loss is told"
    );
}

#[test]
fn an_aggregator_with_a_part_of_a_merged_block_never_gets_that_part_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    for at in 0..4 {
        spool.append(block(at * 2_000, "a", 1));
    }
    assert!(spool.replace(0, 3, |blocks| merged(blocks, 60_000)).is_ok());
    spool.acknowledge(2);
    assert_eq!(numbers(&mut spool), [(3, 3), (4, 4)]);
    assert_eq!(sums(&spool), (1, 3));
}

#[test]
fn while_the_folder_cannot_be_written_blocks_wait_in_memory_and_are_saved_later() {
    let folder = tempfile::tempdir().unwrap();
    let spool_folder = folder.path().join("spool");
    let mut spool = open(&spool_folder, 1 << 20);
    // Root may write anywhere: a folder in the place of the file stops it too.
    fs::create_dir(spool_folder.join("block.new")).unwrap();
    spool.append(block(0, "a", 1));
    spool.append(block(2_000, "a", 1));
    assert!(spool.trouble.is_some());
    assert_eq!(spool.last(), 0);
    fs::remove_dir(spool_folder.join("block.new")).unwrap();
    spool.append(block(4_000, "a", 1));
    assert!(spool.trouble.is_none());
    assert_eq!(numbers(&mut spool), [(1, 1), (2, 2), (3, 3)]);
}

#[test]
fn what_five_minutes_without_a_disk_cost_is_told_in_a_later_block() {
    let folder = tempfile::tempdir().unwrap();
    let spool_folder = folder.path().join("spool");
    let mut spool = open(&spool_folder, 1 << 20);
    fs::create_dir(spool_folder.join("block.new")).unwrap();
    for at in 0..UNSAVED as u64 + 10 {
        spool.append(block(at * 2_000, "a", 1));
    }
    fs::remove_dir(spool_folder.join("block.new")).unwrap();
    spool.append(block(1_000_000, "a", 1));
    assert_eq!(sums(&spool), (UNSAVED as u64, 11));
}

#[test]
fn a_block_that_is_gone_is_stood_for_by_the_next_one_so_that_the_rest_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    for at in 0..4 {
        spool.append(block(at * 2_000, "a", 1));
    }
    let path = spool.path(&spool.entries[1]);
    drop(spool);
    fs::write(&path, b"WEIRBLK1").unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    assert_eq!(numbers(&mut spool), [(1, 1), (3, 3), (4, 4)]);
    spool.acknowledge(1);
    assert_eq!(numbers(&mut spool), [(2, 3), (4, 4)]);
    let stands = slot::decode(&fs::read(spool.path(&spool.entries[0])).unwrap()).unwrap();
    assert_eq!((stands.dropped.blocks(), stands.additions.len()), (1, 1));
}

/// What a stream's exporter taught: so many templates.
fn taught(port: u16, templates: u16) -> StreamFacts {
    let key = slot::StreamKey {
        listener: "netflow".into(),
        exporter: "192.0.2.1".parse().unwrap(),
        port,
        protocol: "netflow9".into(),
        domain: 0,
        agent: None,
    };
    let template = |id| slot::TemplateFact {
        id: 256 + id,
        scope: 0,
        fields: vec![(0, 1, 4)],
        announced_ms: 1,
        restored: false,
    };
    StreamFacts { templates: (0..templates).map(template).collect(), ..StreamFacts::new(key, 1, None) }
}

fn known(spool: &Spool) -> Vec<(u16, usize)> {
    let mut known: Vec<_> = spool.facts().iter().map(|f| (f.key.port, f.templates.len())).collect();
    known.sort_unstable();
    known
}

#[test]
fn what_exporters_taught_is_there_after_a_kill_and_after_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    spool.append(Block { facts: vec![taught(1, 1), taught(2, 5)], ..block(0, "a", 1) });
    spool.append(Block { facts: vec![taught(1, 3)], ..block(2_000, "a", 1) });
    drop(spool);
    let mut spool = open(folder.path(), 1 << 20);
    assert_eq!(known(&spool), [(1, 3), (2, 5)], "by the blocks alone");
    spool.acknowledge(2);
    spool.checkpoint();
    assert!(block_files(folder.path()).unwrap().is_empty());
    drop(spool);
    assert_eq!(known(&open(folder.path(), 1 << 20)), [(1, 3), (2, 5)], "by the watermarks alone");
}

#[test]
fn a_full_spool_gives_up_counts_and_never_what_exporters_taught() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 3_000);
    for at in 0..200 {
        let facts = if at == 0 { vec![taught(1, 3)] } else { vec![] };
        spool.append(Block { facts, ..block(at * 2_000, "a", 1) });
    }
    let told = |entry: &Entry| slot::decode(&fs::read(spool.path(entry)).unwrap()).unwrap().facts;
    let told: Vec<StreamFacts> = spool.entries.iter().flat_map(told).collect();
    assert_eq!(told, [taught(1, 3)], "the aggregator still hears of it");
}

#[test]
fn watermarks_that_are_damaged_are_set_aside_and_numbers_that_were_sent_are_not_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    for at in 0..3 {
        spool.append(Block { facts: vec![taught(1, 3)], ..block(at * 2_000, "a", 1) });
    }
    spool.oldest().unwrap();
    spool.acknowledge(3);
    spool.checkpoint();
    drop(spool);
    let file = folder.path().join("watermarks");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let mut spool = open(folder.path(), 1 << 20);
    assert!(spool.facts().is_empty() && spool.watermarks().is_empty());
    assert!(folder.path().join("watermarks.damaged").exists());
    spool.append(block(6_000, "a", 1));
    assert_eq!(spool.last(), 4);
}
