use std::os::fd::AsFd as _;

use proptest::prelude::*;

use super::*;

/// Frames that carry on from each other, and the bytes they carry.
#[derive(Debug)]
struct Source {
    writer: LogWriter,
    written: Vec<u8>,
}

impl Source {
    fn append(&mut self, output: &[u8]) {
        self.writer.fill(output.len(), |place| {
            place.copy_from_slice(output);
            (output.len(), ())
        });
        let mut published = Vec::new();
        self.writer.publish(|new| published.extend_from_slice(new));
        assert!(published == output);
        self.written.extend_from_slice(output);
    }

    /// Checks that `next` is what stands in the log at `before`, and that the reader is behind it now.
    fn check(&self, reader: &LogReader, before: OutputOffset, next: &Next, max: usize) {
        match next {
            Next::Frame(frame) => {
                let (header, output) = Header::split(frame).unwrap();
                assert_eq!(header, Header::data(before.get()));
                assert!((1..=max).contains(&output.len()));
                let start = usize::try_from(before.get()).unwrap();
                assert_eq!(output, &self.written[start..start + output.len()]);
                assert_eq!(reader.cursor(), before.advanced(output.len()));
            }
            Next::Lost => {
                assert_eq!(reader.cursor(), before);
                let kept = self.written.len() as u64 - before.get();
                assert!(kept > MIN_TAIL as u64 - OUTPUT_FRAME as u64, "no more was dropped than had to be");
            }
            Next::Dry => assert_eq!(reader.cursor().get(), self.written.len() as u64),
        }
    }
}

fn source() -> (Source, Log) {
    let (writer, log, _) = log(memory(0).unwrap().as_fd()).unwrap();
    (Source { writer, written: Vec::new() }, log)
}

#[derive(Clone, Debug)]
enum Step {
    Append { len: usize, seed: u8 },
    Read { reader: usize, max: usize },
    Attach { percent: u64 },
    Detach { reader: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let lens = prop_oneof![1..20_usize, 1..70_000_usize];
    let maxes = prop_oneof![1..10_usize, 1..100_000_usize];
    prop_oneof![
        3 => (lens, any::<u8>()).prop_map(|(len, seed)| Step::Append { len, seed }),
        5 => (0..4_usize, maxes).prop_map(|(reader, max)| Step::Read { reader, max }),
        1 => (0..120_u64).prop_map(|percent| Step::Attach { percent }),
        1 => (0..4_usize).prop_map(|reader| Step::Detach { reader }),
    ]
}

proptest! {
    #[test]
    fn readers_see_every_byte_in_order_or_are_told_what_they_missed(
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let (mut source, log) = source();
        let mut readers = vec![log.reader(OutputOffset::ZERO, Rank::Owner, Claim::Fastest)];
        for step in steps {
            match step {
                Step::Append { len, seed } => {
                    let byte = |at: usize| if at.is_multiple_of(50) { b'\n' } else { seed ^ at.to_le_bytes()[0] };
                    source.append(&(0..len).map(byte).collect::<Vec<_>>());
                }
                Step::Read { reader, max } if reader < readers.len() => {
                    let before = readers[reader].cursor();
                    let next = readers[reader].next(max);
                    source.check(&readers[reader], before, &next, max);
                }
                Step::Attach { percent } if readers.len() < 4 => {
                    let at = source.writer.end().get() * percent / 100;
                    readers.push(log.reader(OutputOffset::new(at), Rank::Owner, Claim::Fastest));
                }
                Step::Detach { reader } if reader < readers.len() => drop(readers.remove(reader)),
                _ => {}
            }
            let fastest = readers.iter().map(LogReader::cursor).max();
            prop_assert_eq!(source.writer.standing(|_| true).fastest, fastest);
        }
    }
}

#[test]
fn a_log_of_single_keys_is_not_all_bookkeeping() {
    let (mut source, log) = source();
    for _ in 0..200_000 {
        source.append(b"x");
    }
    let mut reader = log.reader(OutputOffset::ZERO, Rank::Owner, Claim::Fastest);
    let mut frames = 0;
    while reader.next(usize::MAX) != Next::Dry {
        frames += 1;
    }
    assert!(frames < 50, "{frames} frames");
}

#[test]
fn new_frames_are_shared_not_copied() {
    let (mut source, log) = source();
    let (mut one, mut other) = (
        log.reader(OutputOffset::ZERO, Rank::Owner, Claim::Fastest),
        log.reader(OutputOffset::ZERO, Rank::Owner, Claim::Fastest),
    );
    source.append(&vec![b'x'; 40_000]);
    let (Next::Frame(one), Next::Frame(other)) = (one.next(usize::MAX), other.next(usize::MAX)) else {
        panic!("there is output");
    };
    assert_eq!(one.as_ptr(), other.as_ptr());
}

#[tokio::test]
async fn a_reader_waits_for_output_and_learns_that_there_is_no_more() {
    let (mut source, log) = source();
    let reader = log.reader(OutputOffset::ZERO, Rank::Owner, Claim::Fastest);
    let waiting = tokio::spawn(async move { (reader.ready().await, reader) });
    source.append(b"x");
    let (more, mut reader) = waiting.await.unwrap();
    assert!(more);
    assert!(matches!(reader.next(10), Next::Frame(_)));
    drop(source);
    assert!(!reader.ready().await);
}
