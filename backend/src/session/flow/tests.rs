use std::os::fd::AsFd as _;

use limpet_output_log::{Next, Position};

use super::*;

const TAIL: usize = 4 << 20;

fn at(bytes: usize) -> OutputOffset {
    OutputOffset::ZERO.advanced(bytes)
}

fn all_at(end: usize, fastest: usize) -> ReaderPositions {
    ReaderPositions { end: at(end), tail: TAIL, fastest: Some(at(fastest)), slowest: None }
}

/// Returns the positions of a viewer that is `behind` bytes behind the end, beside
/// one that is there.
fn one_behind(behind: usize) -> ReaderPositions {
    let end = at(1 << 30);
    ReaderPositions { end, tail: TAIL, fastest: Some(end), slowest: Some(end.before(behind)) }
}

#[test]
fn a_program_without_viewers_runs_free() {
    let nobody = ReaderPositions { fastest: None, ..all_at(1 << 40, 0) };
    assert_eq!(FastestViewerHold::default().held_until(nobody, Instant::now()), None);
}

#[test]
fn a_program_that_is_free_waits_for_nobody() {
    let (mut writer, log, _) = output_log::open(output_log::create_memory(0).unwrap().as_fd()).unwrap();
    let _reader = log.reader(Position::START, Claim::new(Rank::Owner, FlowClass::Fastest));
    writer.append(&vec![b'x'; 1 << 20], |_| {});
    let (mut flow, now) = (Flow::new(Instant::now()), Instant::now());
    assert!(flow.held_until((shared::Flow::Hold, true), &writer, now).is_some());
    assert!(flow.held_until((shared::Flow::Auto, true), &writer, now).is_some());
    assert_eq!(flow.held_until((shared::Flow::Free, true), &writer, now), None);
}

/// Returns for how many of 20,000 milliseconds a program that prints without end is held back
/// by a viewer that reads one byte just before the timeout, optionally `beside` another one
/// that reads nothing or everything.
fn held_by_a_trickle(rank: Rank, beside: Option<(Rank, FlowClass, bool)>) -> u32 {
    let memory = output_log::create_memory(TAIL).unwrap();
    let (mut writer, log, _): (_, Log, _) = output_log::open(memory.as_fd()).unwrap();
    let mut trickle = log.reader(Position::START, Claim::new(rank, FlowClass::Lossless));
    let mut other: Option<(LogReader, bool)> =
        beside.map(|(rank, class, takes)| (log.reader(Position::START, Claim::new(rank, class)), takes));
    let owner_is_here = rank == Rank::Owner || beside.is_some_and(|(rank, ..)| rank == Rank::Owner);
    let start = Instant::now();
    let (mut flow, mut held, mut at) = (Flow::new(start), 0, 0);
    for millis in 0..20_000 {
        let now = start + Duration::from_millis(millis);
        if flow.held_until((shared::Flow::Auto, owner_is_here), &writer, now).is_some() {
            held += 1;
        } else {
            writer.append(&[b'x'; 4096], |_| {});
        }
        if millis >= at + 4900 {
            at = millis;
            if trickle.next(1) == Next::Lost {
                trickle = log.reader(
                    Position { output: writer.end().before(TAIL / 2), resizes: 0 },
                    Claim::new(rank, FlowClass::Lossless),
                );
            }
        }
        if let Some((reader, true)) = &mut other {
            while let Next::Frame(_) = reader.next(usize::MAX) {}
        }
    }
    held
}

#[test]
fn a_guest_that_trickles_holds_a_program_of_its_own_only() {
    assert!(held_by_a_trickle(Rank::Guest, None) > 15_000, "nobody else is there");
    for (class, takes) in [
        (FlowClass::Fastest, true),
        (FlowClass::Lossless, true),
        (FlowClass::Unpaced, true),
        (FlowClass::Unpaced, false),
    ] {
        let held = held_by_a_trickle(Rank::Guest, Some((Rank::Owner, class, takes)));
        assert_eq!(held, 0, "an owner is there: {class:?} {takes}");
    }
    // An owner that reads nothing is waited for once.
    let held = held_by_a_trickle(Rank::Guest, Some((Rank::Owner, FlowClass::Fastest, false)));
    assert!(held <= 5_001, "{held}");
}

#[test]
fn it_waits_from_the_high_watermark_down_to_the_low_one() {
    let (mut flow, now) = (FastestViewerHold::default(), Instant::now());
    let behind = |bytes: u64| all_at(1_000_000, 1_000_000 - usize::try_from(bytes).unwrap());
    assert_eq!(flow.held_until(behind(HIGH_WATERMARK), now), None);
    assert!(flow.held_until(behind(HIGH_WATERMARK + 1), now).is_some());
    assert!(flow.held_until(behind(LOW_WATERMARK + 1), now).is_some());
    assert_eq!(flow.held_until(behind(LOW_WATERMARK), now), None);
    assert_eq!(flow.held_until(behind(LOW_WATERMARK + 1), now), None);
}

#[test]
fn nobody_waits_for_viewers_that_take_nothing() {
    let (mut flow, start) = (FastestViewerHold::default(), Instant::now());
    let until = flow.held_until(all_at(1 << 20, 0), start).unwrap();
    assert_eq!(flow.held_until(all_at(1 << 20, 0), until), None);
    assert_eq!(flow.held_until(all_at(1 << 30, 0), until), None);
    assert!(flow.held_until(all_at(1 << 30, 1), until).is_some(), "it moves again, so it counts again");
}

#[test]
fn patience_begins_anew_with_every_byte_that_the_fastest_takes() {
    let (mut flow, start) = (FastestViewerHold::default(), Instant::now());
    let first = flow.held_until(all_at(1 << 30, 0), start).unwrap();
    let second = flow.held_until(all_at(1 << 30, 1), first).unwrap();
    assert!(second > first);
}

fn lagging_viewer_hold(now: Instant) -> LaggingViewerHold {
    LaggingViewerHold { held: None, last_held_at: now }
}

#[test]
fn one_that_keeps_up_is_waited_for_before_it_is_overtaken() {
    let now = Instant::now();
    let mut flow = lagging_viewer_hold(now);
    let (most, least) = (tail_high_watermark(TAIL), tail_low_watermark(TAIL));
    assert!(most < TAIL);
    let held = [(most, false), (most + 1, true), (least + 1, true), (least, false), (most, false)];
    for (behind, is_held) in held {
        assert_eq!(flow.held_until(one_behind(behind), now).unwrap().is_some(), is_held, "{behind}");
    }
}

#[test]
fn one_is_not_waited_for_longer_than_others_needed_to_get_ahead_of_it() {
    let start = Instant::now();
    let too_slow =
        |hold: &mut LaggingViewerHold, now| hold.held_until(one_behind(tail_low_watermark(TAIL) + 1), now);
    for (ahead, patience) in
        [(1, MIN_LAGGING_VIEWER_HOLD), (100, Duration::from_millis(100)), (10_000, MAX_LAGGING_VIEWER_HOLD)]
    {
        let (mut flow, begun) = (lagging_viewer_hold(start), start + Duration::from_millis(ahead));
        let until = flow.held_until(one_behind(TAIL), begun).unwrap().unwrap();
        assert_eq!(until, begun + patience);
        assert!(too_slow(&mut flow, until - Duration::from_millis(1)).is_ok());
        let left = one_behind(tail_low_watermark(TAIL) + 1).slowest.unwrap();
        assert_eq!(too_slow(&mut flow, until), Err(TooSlow(left)), "the one that has moved too little");
        assert_eq!(flow.held_until(one_behind(0), until), Ok(None));
        assert_eq!(
            flow.held_until(one_behind(TAIL), until),
            Ok(Some(until + MIN_LAGGING_VIEWER_HOLD)),
            "another one"
        );
    }
}

/// Simulates a program that could write 64 KiB per millisecond, with a viewer that reads all of
/// it and one that reads `much` bytes per millisecond. Returns how often the latter was
/// overtaken, and for how many of 2,000 milliseconds the program was held back.
fn beside_one_that_takes(much: usize) -> (u32, u32) {
    let memory = output_log::create_memory(TAIL).unwrap();
    let (mut writer, log, _) = output_log::open(memory.as_fd()).unwrap();
    let reader =
        |output| log.reader(Position { output, resizes: 0 }, Claim::new(Rank::Owner, FlowClass::Lossless));
    let (mut quick, mut slow) = (reader(OutputOffset::ZERO), reader(OutputOffset::ZERO));
    let start = Instant::now();
    let (mut flow, mut overtaken, mut held) = (Flow::new(start), 0, 0);
    for now in (0..2000).map(|millis| start + Duration::from_millis(millis)) {
        if flow.held_until((shared::Flow::Auto, true), &writer, now).is_some() {
            held += 1;
        } else {
            writer.append(&vec![b'x'; 64 * 1024], |_| {});
        }
        while let Next::Frame(_) = quick.next(usize::MAX) {}
        if much > 0 && slow.next(much) == Next::Lost {
            overtaken += 1;
            slow = reader(writer.end());
            slow.relabel(Claim::demote);
        }
    }
    (overtaken, held)
}

#[test]
fn one_that_is_half_as_fast_gets_all_and_one_that_is_slow_slows_nobody() {
    let (overtaken, held) = beside_one_that_takes(33 * 1024);
    assert_eq!(overtaken, 0);
    assert!(held > 800, "{held}: it has to be waited for");
    let (overtaken, held) = beside_one_that_takes(20 * 1024);
    assert!(overtaken > 5, "{overtaken}");
    assert!(held < 100, "{held}");
    assert!(beside_one_that_takes(0).1 < 100);
    assert_eq!(beside_one_that_takes(64 * 1024), (0, 0));
}
