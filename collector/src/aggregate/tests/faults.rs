//! Disks that fail, files that are damaged, clocks that jump.

use std::os::unix::fs::symlink;

use super::{DAY0, HOUR, Hand, SLOT, block, line, open, query};
use crate::aggregate::view::Value;
use crate::aggregate::{Aggregator, ApplyError, OpenError};
use crate::slot::encode;

#[tokio::test]
async fn a_journal_that_cannot_be_written_refuses_the_block_for_now_and_takes_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 15_000);
    let full = folder.path().join("journal-0000000000000001.log");
    symlink("/dev/full", &full).unwrap();
    // Opening reads the journal; the device is put in its place only afterwards.
    std::fs::remove_file(&full).unwrap();
    let aggregator = open(folder.path(), &hand);
    symlink("/dev/full", &full).unwrap();
    let one = encode(&block(1, 1, DAY0, 10_000, 5));
    let refused = aggregator.apply(one.clone()).await.unwrap_err();
    assert!(matches!(&refused, ApplyError::Unavailable(why) if why.contains("No space left")), "{refused}");
    let ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), [None]);
    assert!(aggregator.reader().trouble().unwrap().contains("No space left"));
    drop(std::fs::remove_file(&full));
    assert_eq!(aggregator.apply(one).await.unwrap().last, 1);
    assert_eq!(aggregator.reader().trouble(), None);
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http"), [Some(500.0)]);
    assert!(aggregator.reader().counts().failed_writes >= 1);
    aggregator.close();
}

#[tokio::test]
async fn a_damaged_journal_record_loses_its_block_alone_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 5_000);
    let aggregator = open(folder.path(), &hand);
    for number in 1..=3 {
        aggregator.apply(encode(&block(1, number, DAY0, 1_000, 10_u64.pow(number as u32)))).await.unwrap();
    }
    let copy = super::model::copy(folder.path());
    aggregator.close();
    let journal = std::fs::read_dir(copy.path()).unwrap().map(|f| f.unwrap().path());
    let journal = journal.filter(|p| p.extension().is_some_and(|e| e == "log")).max().unwrap();
    let mut bytes = std::fs::read(&journal).unwrap();
    let second = 8 + 20 + encode(&block(1, 1, DAY0, 1_000, 10)).len() + 20 + 30;
    bytes[second] ^= 0xff;
    // And the end is cut short, as when power fails in the middle of a write.
    bytes.extend_from_slice(&[9; 33]);
    std::fs::write(&journal, &bytes).unwrap();
    let again = open(copy.path(), &hand);
    let ask = query(DAY0, DAY0 + SLOT, SLOT, Value::Sum);
    assert_eq!(line(&again.reader().series(&ask).unwrap(), "http"), [Some(101_000.0)]);
    assert_eq!(again.reader().counts().damaged_records, 1);
    assert_eq!(again.apply(encode(&block(1, 4, DAY0, 1_000, 1))).await.unwrap().last, 4);
    again.close();
}

#[tokio::test]
async fn a_folder_in_use_or_of_another_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0);
    let first = open(folder.path(), &hand);
    let second = Aggregator::open(&super::config(), folder.path()).unwrap_err();
    assert!(matches!(second, OpenError::Folder(_)));
    assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
    first.close();
    drop(first);
    let database = redb::Database::create(folder.path().join("series.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let format: &[u8] = b"weir aggregator 99";
    transaction.open_table(super::super::store::META).unwrap().insert("format", format).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let other = Aggregator::open(&super::config(), folder.path()).unwrap_err().to_string();
    assert!(other.contains("series.redb") && other.contains("weir aggregator 99"), "{other}");
}

#[tokio::test]
async fn bytes_that_are_no_block_are_refused_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let aggregator = open(folder.path(), &Hand::at(DAY0 + 5_000));
    let good = encode(&block(1, 1, DAY0, 1_000, 1));
    for bad in [vec![], b"GET / HTTP/1.1".to_vec(), good[..good.len() - 1].to_vec()] {
        assert!(matches!(aggregator.apply(bad).await, Err(ApplyError::Refused(_))));
    }
    let lie = crate::slot::Block { first: 9, ..block(1, 2, DAY0, 1_000, 1) };
    assert!(matches!(aggregator.apply(encode(&lie)).await, Err(ApplyError::Refused(_))));
    assert!(aggregator.provisional(&good).is_err());
    assert_eq!(aggregator.apply(good).await.unwrap().last, 1);
    aggregator.close();
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_nothing_until_it_was_steady() {
    let folder = tempfile::tempdir().unwrap();
    let hand = Hand::at(DAY0 + 5_000);
    let aggregator = open(folder.path(), &hand);
    aggregator.apply(encode(&block(1, 1, DAY0, 10_000, 5))).await.unwrap();
    let ask = query(DAY0, DAY0 + 60_000, SLOT, Value::Sum);
    let jumped = DAY0 + 30 * 24 * HOUR;
    hand.set(jumped);
    aggregator.checkpoint().await.unwrap();
    assert_eq!(line(&aggregator.reader().series(&ask).unwrap(), "http")[0], Some(500.0));
    hand.set(jumped + 11 * 60_000);
    aggregator.checkpoint().await.unwrap();
    assert!(aggregator.reader().series(&ask).is_err(), "raw slots are kept for 48 h");
    aggregator.close();
}
