//! Output that limpet itself appends to a session: cleared terminals, reset modes, and the output
//! from before a restart.

use std::time::Duration;

use limpet_shared::{ClientMessage, ErrorCode, OutputOffset, Role, SessionId, api::Screen};
use reqwest::{Method, header::ACCEPT};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Client, Hello, Options, Server, within};

/// A shell at its prompt, which waits there with a line editor.
const BASH_COMMAND: [&str; 3] = ["bash", "--norc", "--noprofile"];

async fn screen(server: &Server, id: &SessionId) -> Screen {
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap()
}

/// Waits until the non-empty rows of the screen are these.
async fn wait_for_rows(server: &Server, id: &SessionId, rows: &[&str]) {
    within(&format!("{rows:?} on the screen"), async {
        loop {
            let mut found = screen(server, id).await.lines;
            found.retain(|line| !line.is_empty());
            if found == rows {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Returns everything that new viewers receive: one that follows the newest screen and one that
/// wants all output.
async fn output_for_new_viewers(server: &Server, id: &SessionId, until: &str) -> String {
    let mut shown = String::new();
    for hello in [Hello::default().follow_now(), Hello::default()] {
        let mut client = Client::attach(server, id, hello).await;
        client
            .until("the end of the screen", |client| (client.drawn() + &client.text()).contains(until))
            .await;
        client.say(&ClientMessage::History).await;
        client.type_in("").await;
        shown += &(client.drawn() + &client.text());
    }
    shown
}

#[tokio::test]
async fn what_was_cleared_is_gone_for_everybody_and_for_good() {
    let server = Server::start(Options::default());
    let id = server.bash("seq 2000; echo SECRET; printf '$ '; read line; echo $line; read line").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("SECRET\r\n$ ").await;
    let mut other = Client::attach(&server, &id, Hello::default()).await;
    other.sees("SECRET\r\n$ ").await;
    // This viewer has seen all output and is away meanwhile.
    let (epoch, output) = (client.epoch().clone(), other.received());
    let mut away = Client::attach(&server, &id, Hello::default()).await;
    away.sees("SECRET\r\n$ ").await;
    let early = OutputOffset::new(away.received().get() / 2);
    drop(away);

    client.say(&ClientMessage::Clear).await;
    for viewer in [&mut client, &mut other] {
        viewer.sees("\x1bc").await;
        viewer.sees("$ ").await;
    }
    wait_for_rows(&server, &id, &["$"]).await;
    assert!(!output_for_new_viewers(&server, &id, "$ ").await.contains("SECRET"));
    let mut back = Client::attach(&server, &id, Hello::default().resume(&epoch, output)).await;
    back.sees("\x1bc").await;
    let mut back = Client::attach(&server, &id, Hello::default().resume(&epoch, early)).await;
    back.until("the screen", |client| (client.drawn() + &client.text()).contains("$ ")).await;
    assert!(!(back.drawn() + &back.text()).contains("SECRET"));

    // The next server has never seen the cleared output.
    server.kill().await;
    wait_for_rows(&server, &id, &["$"]).await;
    assert!(!output_for_new_viewers(&server, &id, "$ ").await.contains("SECRET"));
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.type_in("on\n").await;
    wait_for_rows(&server, &id, &["$ on", "on"]).await;
}

#[tokio::test]
async fn what_a_program_has_begun_is_not_torn_apart() {
    let server = Server::start(Options::default());
    let script =
        r"printf 'a\033[3'; read line; printf '1mred'; read line; printf '\033]2;x'; read line; read line";
    let id = server.bash(&format!("stty -echo; {script}")).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("a\x1b[3").await;
    client.say(&ClientMessage::Clear).await;
    // The clear takes effect as soon as the control function is complete.
    client.type_in("\n").await;
    client.sees("a\x1b[31mred").await;
    client.sees("\x1bc").await;
    wait_for_rows(&server, &id, &["ared"]).await;
    // A control function that is never completed does not delay the clear for ever.
    client.type_in("\n").await;
    client.sees("\x1b]2;x").await;
    client.say(&ClientMessage::Clear).await;
    client.sees("\x1b]2;x\x18\x1bc").await;
}

#[tokio::test]
async fn readers_clear_and_reset_nothing() {
    let server = Server::start(Options::default());
    let id = server.bash("printf 'kept\\033[?1000h'; read line").await;
    let passes = server.get(&format!("/api/sessions/{id}/passes")).await;
    let passes: Vec<limpet_shared::api::Pass> = passes.json().await.unwrap();
    let of = |role: Role| passes.iter().find(|pass| pass.role == role).unwrap().token.clone();
    let mut reader = Client::attach(&server, &id, Hello::default().with_token(&of(Role::Reader))).await;
    reader.sees("kept").await;
    for message in [ClientMessage::Clear, ClientMessage::SoftReset] {
        reader.say(&message).await;
        reader.wait_for_error(ErrorCode::ReadOnly).await;
    }
    let mut writer = Client::attach(&server, &id, Hello::default().with_token(&of(Role::Writer))).await;
    writer.sees("kept").await;
    assert!(!reader.text().contains("\x1bc"));
    writer.say(&ClientMessage::SoftReset).await;
    reader.sees("\x1b[?1000l").await;
    wait_for_rows(&server, &id, &["kept"]).await;
}

#[tokio::test]
async fn a_reset_leaves_nothing_that_a_reload_would_bring_back() {
    let server = Server::start(Options::default());
    let modes = r"\033[?1049hfull\033[>31u\033[?1003h\033[?1006h\033[?2004h\033[?25l\033[?1h\033[2;3r\033[4h";
    let id = server.bash(&format!("printf 'before '; printf '{modes}'; read line; read line")).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("\x1b[4h").await;
    client.say(&ClientMessage::SoftReset).await;
    client.sees("\x1b]112\x1b\\").await;
    wait_for_rows(&server, &id, &["before"]).await;
    assert!(screen(&server, &id).await.cursor.visible);
    let mut late = Client::attach(&server, &id, Hello::default().follow_now()).await;
    late.until("a screen", |client| client.drawn().contains("before")).await;
    for mode in ["u", "?1049h", "?1003h", "?1006h", "?2004h", "?1h", "[4h", "2;3r"] {
        assert!(!late.drawn().contains(mode), "{mode} in {:?}", late.drawn());
    }
}

#[tokio::test]
async fn what_a_killed_program_left_on_is_reset_at_the_next_prompt() {
    let server = Server::start(Options::default().env("PS1", "ready> "));
    let id = server.open_session(BASH_COMMAND).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready> ").await;
    for (modes, resetting) in [
        (r"\033[>31u", "\x1b[<32u"),
        (r"\033[?1003h\033[?1006h", "\x1b[?1000l\x1b[?1006l"),
        (r"\033[?1004h\033[?25l", "\x1b[?1004l\x1b[?25h"),
    ] {
        // The second round shows that the state left by the first does not matter.
        for _ in 0..2 {
            client.output.clear();
            client.type_in(&format!("sh -c 'printf \"{modes}\"; kill -9 $$'\r")).await;
            client.sees(resetting).await;
        }
    }
    // A foreground program keeps its modes, bracketed paste included, and the shell of a script is
    // not a prompt.
    client.output.clear();
    let script =
        r#"printf "\033[>1u\033[?2004hbe%s" gun; for n in 1 2 3; do read line; echo "line $n"; done"#;
    client.type_in(&format!("sh -c '{script}'\r")).await;
    // Input typed earlier would still go to the shell's line editor.
    client.sees("begun").await;
    for n in 1..=3 {
        client.type_in("\n").await;
        client.sees(&format!("line {n}\r\n")).await;
    }
    client.sees("\x1b[<32u").await;
    let (before, _) =
        client.text().split_once("\x1b[<32u").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(before.contains("line 3\r\n"), "{before:?}");
}

#[tokio::test]
async fn the_modes_of_the_shell_itself_stay() {
    let server = Server::start(Options::default().env("PS1", r"\[\e[=5u\]ready> "));
    let id = server.open_session(BASH_COMMAND).await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.sees("ready> ").await;
    client.say(&ClientMessage::Clear).await;
    client.sees("\x1bc").await;
    client.type_in("echo on''e\r").await;
    client.sees("one\r\n").await;
    client.say(&ClientMessage::Clear).await;
    client.type_in("echo tw''o\r").await;
    client.sees("two\r\n").await;
    server.kill().await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.type_in("echo thr''ee\r").await;
    client.sees("three\r\n").await;
    client.type_in("echo fo''ur\r").await;
    client.sees("four\r\n").await;
    assert!(!client.text().contains("\x1b[<32u"), "{:?}", client.text());
}

#[tokio::test]
async fn a_restarted_program_goes_on_below_its_last_output() {
    let server = Server::start(Options::default());
    let id = server.bash("seq 100; printf 'last words\\033[?1000h\\033[?25l'; exit 3").await;
    let mut client = Client::attach(&server, &id, Hello::default()).await;
    client.read_to_end().await;
    let again = server.post("/api/sessions", json!({ "like": id, "keep_output": true })).await;
    let again: limpet_shared::api::SessionInfo = again.json().await.unwrap();
    let mut client = Client::attach(&server, &again.id, Hello::default()).await;
    client.read_to_end().await;
    let text = client.text();
    let (before, after) = text.split_once("restarted").unwrap();
    assert!(before.contains("\r\n42\r\n") && before.contains("last words"), "{text:?}");
    assert!(!before.contains("?1000h") && !before.contains("?25l"), "{before:?}");
    assert!(after.contains("last words"));
    // Without that request, the new terminal is empty.
    let plain = server.post("/api/sessions", json!({ "like": id })).await;
    let plain: limpet_shared::api::SessionInfo = plain.json().await.unwrap();
    let mut client = Client::attach(&server, &plain.id, Hello::default()).await;
    client.read_to_end().await;
    assert_eq!(client.text().matches("last words").count(), 1);
}
