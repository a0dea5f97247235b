use std::os::fd::AsFd as _;

use proptest::prelude::*;

use super::*;

/// A log with a copy of the bytes and sizes written to it.
#[derive(Debug)]
struct Source {
    writer: LogWriter<()>,
    written: Vec<u8>,
    sizes: Vec<SizeAt>,
}

impl Source {
    fn append(&mut self, output: &[u8]) {
        self.writer.fill(output.len(), |target| {
            target.copy_from_slice(output);
            (output.len(), ())
        });
        let mut published = Vec::new();
        self.writer.publish(|new| published.extend_from_slice(new));
        assert!(published == output);
        self.written.extend_from_slice(output);
    }

    fn resize(&mut self, size: Winsize) {
        self.sizes.push((self.writer.end(), size));
        self.writer.resize(size);
    }

    /// Returns the position at an offset at which all sizes have come that took effect before it.
    fn position(&self, offset: u64) -> Position {
        let output = OutputOffset::new(offset);
        Position { output, resizes: self.sizes.iter().filter(|(from, _)| *from < output).count() as u64 }
    }

    /// Checks that `next` is the content of the log at `cursor`, and that the reader has advanced
    /// past it.
    fn check(&self, reader: &LogReader<()>, cursor: Position, next: &Next, max: usize) {
        let (before, resizes) = (cursor.output, cursor.resizes);
        let next_size = self.sizes.get(usize::try_from(resizes).unwrap());
        assert!(
            next_size.is_none_or(|&(from, _)| from >= before || *next == Next::Lost),
            "no size is left out"
        );
        match next {
            Next::Size { size, resizes: now } => {
                assert_eq!((*now, next_size), (resizes + 1, Some(&(before, *size))));
                assert_eq!(reader.cursor, Position { output: before, resizes: resizes + 1 });
            }
            Next::Frame(frame) => {
                assert!(next_size.is_none_or(|&(from, _)| from >= reader.cursor() && from > before));
                let (header, output) = Header::split(frame).unwrap();
                assert_eq!(header, Header::data(before.get()));
                assert!((1..=max).contains(&output.len()));
                let start = usize::try_from(before.get()).unwrap();
                assert_eq!(output, &self.written[start..start + output.len()]);
                assert_eq!(reader.cursor(), before.advanced(output.len()));
            }
            Next::Lost => {
                assert_eq!(reader.cursor, cursor);
                let kept = self.written.len() as u64 - before.get();
                let is_far_behind = kept > MIN_TAIL_BYTES as u64 - MAX_FRAME_PAYLOAD_BYTES as u64;
                assert!(
                    is_far_behind || self.sizes.len() as u64 - resizes >= 100,
                    "no more was dropped than had to be"
                );
            }
            Next::Empty => {
                let end = (self.written.len() as u64, self.sizes.len() as u64);
                assert_eq!((reader.cursor().get(), reader.cursor.resizes), end);
            }
        }
    }
}

fn source() -> (Source, Log<()>) {
    let (writer, log, _) = open(create_memory(0).unwrap().as_fd()).unwrap();
    (Source { writer, written: Vec::new(), sizes: Vec::new() }, log)
}

#[derive(Clone, Debug)]
enum Step {
    Append { len: usize, seed: u8 },
    Resize { cols: u16, times: usize },
    Read { reader: usize, max: usize },
    Attach { percent: u64 },
    Detach { reader: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let lens = prop_oneof![1..20_usize, 1..70_000_usize];
    let maxes = prop_oneof![1..10_usize, 1..100_000_usize];
    prop_oneof![
        3 => (lens, any::<u8>()).prop_map(|(len, seed)| Step::Append { len, seed }),
        1 => (1..100_u16, 1..40_usize).prop_map(|(cols, times)| Step::Resize { cols, times }),
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
        let mut readers = vec![log.reader(Position::START, ())];
        for step in steps {
            match step {
                Step::Append { len, seed } => {
                    let byte = |at: usize| if at.is_multiple_of(50) { b'\n' } else { seed ^ at.to_le_bytes()[0] };
                    source.append(&(0..len).map(byte).collect::<Vec<_>>());
                }
                Step::Resize { cols, times } => {
                    (0..times).for_each(|_| source.resize(Winsize::cells(cols, 10)));
                }
                Step::Read { reader, max } if reader < readers.len() => {
                    let before = readers[reader].cursor;
                    let next = readers[reader].next(max);
                    source.check(&readers[reader], before, &next, max);
                }
                Step::Attach { percent } if readers.len() < 4 => {
                    let at = source.writer.end().get() * percent / 100;
                    readers.push(log.reader(source.position(at), ()));
                }
                Step::Detach { reader } if reader < readers.len() => drop(readers.remove(reader)),
                _ => {}
            }
            let fastest = readers.iter().map(LogReader::cursor).max();
            let known = source.writer.with_readers(|readers| readers.iter().map(|(at, ())| at).max());
            prop_assert_eq!(known, fastest);
        }
    }
}

#[test]
fn a_log_of_single_keys_is_not_all_bookkeeping() {
    let (mut source, log) = source();
    for _ in 0..200_000 {
        source.append(b"x");
    }
    let mut reader = log.reader(Position::START, ());
    let mut frames = 0;
    while reader.next(usize::MAX) != Next::Empty {
        frames += 1;
    }
    assert!(frames < 50, "{frames} frames");
}

#[test]
fn new_frames_are_shared_not_copied() {
    let (mut source, log) = source();
    let (mut one, mut other) = (log.reader(Position::START, ()), log.reader(Position::START, ()));
    source.append(&vec![b'x'; 40_000]);
    let (Next::Frame(one), Next::Frame(other)) = (one.next(usize::MAX), other.next(usize::MAX)) else {
        panic!("there is output");
    };
    assert_eq!(one.as_ptr(), other.as_ptr());
}

#[tokio::test]
async fn a_size_wakes_a_reader() {
    let (mut source, log) = source();
    let reader = log.reader(Position::START, ());
    let waiting = tokio::spawn(async move { (reader.ready().await, reader) });
    source.resize(Winsize::cells(3, 4));
    let (more, mut reader) = waiting.await.unwrap();
    assert!(more);
    assert_eq!(reader.next(1), Next::Size { size: Winsize::cells(3, 4), resizes: 1 });
    assert_eq!(reader.next(1), Next::Empty);
}

#[tokio::test]
async fn a_reader_waits_for_output_and_learns_that_there_is_no_more() {
    let (mut source, log) = source();
    let reader = log.reader(Position::START, ());
    let waiting = tokio::spawn(async move { (reader.ready().await, reader) });
    source.append(b"x");
    let (more, mut reader) = waiting.await.unwrap();
    assert!(more);
    assert!(matches!(reader.next(10), Next::Frame(_)));
    drop(source);
    assert!(!reader.ready().await);
}
