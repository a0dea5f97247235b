use limpet_shared::{
    ExitStatus, Role, SessionId, SessionSpec, SessionState, Sizing, Winsize, api::SessionInfo,
};
use proptest::prelude::*;

use super::{Arrangement, Mark, Side, Tab, TabKind, TabList};
use crate::viewers::ViewerList;

fn session(id: &str) -> SessionInfo {
    SessionInfo {
        id: id.parse().expect("an id"),
        role: Role::Owner,
        command: vec!["sh".to_owned()],
        spec: SessionSpec::default(),
        state: SessionState { label: id.to_uppercase(), ..SessionState::default() },
    }
}

fn kind(id: &str) -> TabKind {
    TabKind::Terminal(id.parse().expect("an id"))
}

fn list(ids: &str) -> TabList {
    let mut list = TabList::default();
    for id in ids.split_whitespace() {
        list.open(Tab::from(session(id)));
    }
    list
}

/// Lists the tabs in their order, with the active one in brackets.
fn shown(list: &TabList) -> String {
    let name = |tab: &Tab| {
        let id = tab.kind.session().map(SessionId::as_str).unwrap_or_default();
        if list.is_active(&tab.kind) { format!("[{id}]") } else { id.to_owned() }
    };
    list.tabs().iter().map(name).collect::<Vec<_>>().join(" ")
}

fn merge(list: &mut TabList, ids: &str) {
    let before = list.kinds();
    list.merge(ids.split_whitespace().map(session).collect(), &before);
}

#[test]
fn a_new_tab_is_last_and_shown() {
    assert_eq!(shown(&list("a b c")), "a b [c]");
}

#[test]
fn opening_what_is_open_shows_it() {
    let mut list = list("a b");
    list.open(Tab::from(session("a")));
    assert_eq!(shown(&list), "[a] b");
}

#[test]
fn closing_shows_the_next_one_or_the_last() {
    let mut list = list("a b c");
    list.select(&kind("b"));
    list.close(&kind("b"));
    assert_eq!(shown(&list), "a [c]");
    list.close(&kind("c"));
    assert_eq!(shown(&list), "[a]");
    list.close(&kind("a"));
    assert_eq!(shown(&list), "");
    assert_eq!(list.active(), None);
}

#[test]
fn closing_another_one_keeps_what_is_shown() {
    let mut list = list("a b c");
    list.close(&kind("a"));
    assert_eq!(shown(&list), "b [c]");
}

#[test]
fn neighbours_go_round() {
    let mut list = list("a b c");
    list.select_neighbour(Side::After);
    assert_eq!(shown(&list), "[a] b c");
    list.select_neighbour(Side::Before);
    assert_eq!(shown(&list), "a b [c]");
    TabList::default().select_neighbour(Side::After);
}

#[test]
fn moving_keeps_what_is_shown() {
    let mut list = list("a b c");
    list.move_to(&kind("a"), 1);
    assert_eq!(shown(&list), "b a [c]");
    list.move_to(&kind("c"), 0);
    assert_eq!(shown(&list), "[c] b a");
    list.move_to(&kind("b"), 99);
    assert_eq!(shown(&list), "[c] a b");
}

#[test]
fn moving_the_active_one_stops_at_the_ends() {
    let mut list = list("a b");
    list.move_active(Side::After);
    assert_eq!(shown(&list), "a [b]");
    list.move_active(Side::Before);
    list.move_active(Side::Before);
    assert_eq!(shown(&list), "[b] a");
}

#[test]
fn marks_are_for_tabs_that_are_not_shown() {
    let mut list = list("a b");
    let mark = |list: &TabList, id| list.get(&kind(id)).map(|tab| tab.mark);
    list.add_mark(&kind("a"), Mark::Bell);
    list.add_mark(&kind("a"), Mark::Activity);
    list.add_mark(&kind("b"), Mark::Bell);
    assert_eq!(mark(&list, "a"), Some(Mark::Bell));
    assert_eq!(mark(&list, "b"), Some(Mark::None));
    list.select(&kind("a"));
    assert_eq!(mark(&list, "a"), Some(Mark::None));
}

#[test]
fn restarting_takes_the_same_place() {
    let mut list = list("a b c");
    list.set_exit(&kind("b"), ExitStatus::Code(1), false);
    list.replace(&kind("b"), Tab::from(session("d")));
    assert_eq!(shown(&list), "a [d] c");
    merge(&mut list, "a b c d");
    assert_eq!(shown(&list), "a [d] c", "the old session is not shown again while the server forgets it");
}

#[test]
fn sessions_from_elsewhere_become_tabs() {
    let mut list = list("a");
    merge(&mut list, "a b");
    assert_eq!(shown(&list), "[a] b");
}

#[test]
fn vanished_sessions_go_unless_shown() {
    let mut list = list("a b c");
    merge(&mut list, "b");
    assert_eq!(shown(&list), "b [c]");
}

#[test]
fn what_was_opened_after_the_question_is_not_missed_in_the_answer() {
    let mut list = list("a b");
    let before = list.kinds();
    list.open(Tab::from(session("c")));
    list.select(&kind("a"));
    list.merge(vec![session("a"), session("b")], &before);
    assert_eq!(shown(&list), "[a] b c");
}

#[test]
fn closed_tabs_do_not_come_back_while_the_server_closes_them() {
    let mut list = list("a b");
    list.close(&kind("b"));
    merge(&mut list, "a b");
    assert_eq!(shown(&list), "[a]");
    merge(&mut list, "a");
    merge(&mut list, "a b");
    assert_eq!(shown(&list), "[a] b", "a later one of that name is another one");
}

#[test]
fn a_session_that_could_not_be_closed_comes_back() {
    let mut list = list("a b");
    list.close(&kind("b"));
    list.forget_closed(&"b".parse().expect("an id"));
    merge(&mut list, "a b");
    assert_eq!(shown(&list), "[a] b");
}

#[test]
fn merging_takes_over_titles_and_exits() {
    let mut list = list("a");
    let mut ended = session("a");
    (ended.state.label, ended.state.exit) = ("x".to_owned(), Some(ExitStatus::Signal(9)));
    list.merge(vec![ended], &[kind("a")]);
    let tab = list.active().expect("a tab");
    assert_eq!((tab.title.as_str(), tab.exit), ("x", Some(ExitStatus::Signal(9))));
}

#[test]
fn the_order_of_last_time_comes_back() {
    let mut earlier = list("a b c");
    earlier.move_to(&kind("c"), 0);
    earlier.select(&kind("b"));
    let mut list = TabList::default();
    merge(&mut list, "a b c d");
    list.arrange(&earlier.arrangement());
    assert_eq!(shown(&list), "c a [b] d");
    list.arrange(&Arrangement::default());
    assert_eq!(shown(&list), "c a [b] d");
}

#[derive(Clone, Debug)]
enum Step {
    Open(u8),
    Close(u8),
    Select(u8),
    Move(u8, usize),
    Merge(Vec<u8>),
    Beside(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..6_u8;
    prop_oneof![
        id.clone().prop_map(Step::Open),
        id.clone().prop_map(Step::Close),
        id.clone().prop_map(Step::Select),
        (id.clone(), 0..8_usize).prop_map(|(id, place)| Step::Move(id, place)),
        proptest::collection::vec(id, 0..6).prop_map(Step::Merge),
        any::<bool>().prop_map(Step::Beside),
    ]
}

proptest! {
    #[test]
    fn no_tab_is_double_and_one_is_active(steps in proptest::collection::vec(step(), 0..40)) {
        let mut list = TabList::default();
        for step in steps {
            let before = list.kinds();
            match step {
                Step::Open(id) => list.open(Tab::from(session(&id.to_string()))),
                Step::Close(id) => list.close(&kind(&id.to_string())),
                Step::Select(id) => list.select(&kind(&id.to_string())),
                Step::Move(id, place) => list.move_to(&kind(&id.to_string()), place),
                Step::Merge(ids) => list.merge(ids.iter().map(|id| session(&id.to_string())).collect(), &before),
                Step::Beside(after) => list.select_neighbour(if after { Side::After } else { Side::Before }),
            }
            let kinds = list.kinds();
            prop_assert!(kinds.iter().enumerate().all(|(at, kind)| list.position(kind) == Some(at)));
            prop_assert_eq!(list.active().is_some(), !kinds.is_empty());
        }
    }
}

#[test]
fn what_the_server_lists_leaves_alone_what_the_connection_told() {
    let mut tabs = list("a");
    tabs.set_viewers(&kind("a"), ViewerList { count: 2, list: Vec::new() });
    tabs.set_imposed_size(&kind("a"), Some(Winsize::cells(160, 50)));
    let spec = SessionSpec { sizing: Sizing::Fixed, ..SessionSpec::default() };
    tabs.merge_session(SessionInfo { role: Role::Reader, spec, ..session("a") });
    let tab = tabs.active().expect("a tab");
    assert_eq!((tab.role, tab.sizing, tab.viewers.count), (Role::Reader, Sizing::Fixed, 2));
    assert_eq!(tab.imposed_size, Some(Winsize::cells(160, 50)));
}

#[test]
fn who_has_left_can_come_back() {
    let mut tabs = list("a");
    tabs.close(&kind("a"));
    tabs.merge(vec![session("a")], &[]);
    assert!(tabs.tabs().is_empty() && tabs.has_closed());
    tabs.forget_all_closed();
    tabs.merge(vec![session("a")], &[]);
    assert_eq!(tabs.kinds(), [kind("a")]);
}
