use limpet_shared::{InputOffset, Role, SessionId, Winsize};
use proptest::prelude::*;

use super::*;

fn welcome(epoch: u8, output: u64, live: u64) -> Welcome {
    Welcome {
        session: SessionId::from_random([0; 8]),
        epoch: Epoch::from_random([epoch; 8]),
        role: Role::Owner,
        id: 0,
        output: OutputOffset::new(output),
        live: OutputOffset::new(live),
        input: InputOffset::ZERO,
        by: None,
        size: Winsize::default(),
        resizes: 0,
        title: String::new(),
        server: String::new(),
    }
}

fn data(inflow: &mut Inflow, offset: u64, payload: usize) -> Result<Vec<Piece>, Gap> {
    let pieces = inflow.receive(Header::data(offset), Header::LEN + payload)?;
    Ok(pieces.into_iter().flatten().collect())
}

#[test]
fn the_first_attachment_replays_up_to_live() {
    let mut inflow = Inflow::default();
    assert_eq!(inflow.resume(), None);
    assert!(!inflow.begin(&welcome(1, 10, 14)));
    inflow.skip_to(OutputOffset::new(10), 0);
    let pieces = data(&mut inflow, 10, 10).unwrap();
    let seen: Vec<_> = pieces.iter().map(|piece| (piece.from, piece.to, piece.mark.replayed)).collect();
    assert_eq!(seen, [(9, 13, true), (13, 19, false)]);
    assert_eq!(inflow.resume().unwrap().output, OutputOffset::new(20));
}

#[test]
fn a_resumed_attachment_is_live_except_for_a_replay_that_was_cut() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 0, 8));
    data(&mut inflow, 0, 4).unwrap();
    assert!(inflow.begin(&welcome(1, 4, 20)));
    let pieces = data(&mut inflow, 4, 16).unwrap();
    assert_eq!((pieces[0].to, pieces[0].mark.replayed), (13, true));
    assert!(!pieces[1].mark.replayed);
}

#[test]
fn sizes_are_resumed_like_output() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 7, 7));
    assert!(
        inflow.has_begun() && inflow.resume().is_none(),
        "what was before 7 is yet to come as a snapshot"
    );
    inflow.begin(&Welcome { resizes: 3, ..welcome(2, 0, 0) });
    assert_eq!(inflow.resume().unwrap().resizes, Some(3));
    inflow.on_resized(5);
    assert_eq!(inflow.resume().unwrap().resizes, Some(5));
    inflow.begin(&welcome(2, 0, 0));
    assert_eq!(inflow.resume().unwrap().resizes, Some(0));
}

#[test]
fn another_epoch_or_offset_starts_over() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 0, 0));
    data(&mut inflow, 0, 4).unwrap();
    assert!(!inflow.begin(&welcome(2, 4, 4)));
    assert!(!inflow.begin(&welcome(2, 6, 9)));
    assert_eq!(data(&mut inflow, 4, 1), Err(Gap));
    assert_eq!(data(&mut inflow, 6, 1).unwrap().len(), 1);
}

#[test]
fn what_was_written_before_a_new_start_is_not_acknowledged_after_it() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 0, 0));
    let old = data(&mut inflow, 0, 500).unwrap()[0].mark;
    inflow.begin(&welcome(2, 0, 0));
    assert_eq!(inflow.on_rendered(old, true), None);
}

#[test]
fn a_snapshot_moves_no_offset_and_is_replayed() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 0, 100));
    assert!(inflow.resume().is_some());
    inflow.skip_to(OutputOffset::new(200), 5);
    assert_eq!(inflow.resume(), None, "the terminal shows nothing yet");
    let header = Header { kind: Kind::Snapshot, offset: 200 };
    let [piece, none] = inflow.receive(header, Header::LEN + 5).unwrap();
    assert!(piece.unwrap().mark.replayed && none.is_none());
    assert_eq!(inflow.resume().unwrap().output, OutputOffset::new(200));
    assert!(!data(&mut inflow, 200, 1).unwrap()[0].mark.replayed);
}

#[test]
fn little_output_is_acknowledged_together_when_the_terminal_is_idle() {
    let mut inflow = Inflow::default();
    inflow.begin(&welcome(1, 0, 0));
    for key in 1..IDLE_ACK_STEP_BYTES {
        let mark = data(&mut inflow, key - 1, 1).unwrap()[0].mark;
        assert_eq!(inflow.on_rendered(mark, true), None);
    }
    let mark = data(&mut inflow, IDLE_ACK_STEP_BYTES - 1, 1).unwrap()[0].mark;
    assert_eq!(inflow.on_rendered(mark, false), None);
    assert_eq!(inflow.on_rendered(mark, true), Some(OutputOffset::new(IDLE_ACK_STEP_BYTES)));
    assert_eq!(inflow.on_rendered(mark, true), None);
}

proptest! {
    /// Checks that a server that respects the window never waits forever, however frames are cut:
    /// less than `ACK_STEP_BYTES` bytes are unacknowledged while the terminal works, and less than
    /// `IDLE_ACK_STEP_BYTES` once it is idle.
    #[test]
    fn acknowledgements_keep_up(frames in prop::collection::vec(0..=limits::MAX_FRAME_PAYLOAD_BYTES, 1..50)) {
        let mut inflow = Inflow::default();
        inflow.begin(&welcome(1, 0, 0));
        let (mut sent, mut acknowledged) = (0, 0);
        for (index, payload) in frames.iter().enumerate() {
            let pieces = data(&mut inflow, sent, *payload).unwrap();
            sent += *payload as u64;
            for piece in pieces {
                let idle = index + 1 == frames.len();
                if let Some(output) = inflow.on_rendered(piece.mark, idle) {
                    prop_assert!(output.get() > acknowledged && output.get() <= sent);
                    acknowledged = output.get();
                }
            }
            prop_assert!(sent - acknowledged < ACK_STEP_BYTES);
        }
        prop_assert!(frames.last() == Some(&0) || sent - acknowledged < IDLE_ACK_STEP_BYTES);
    }
}
