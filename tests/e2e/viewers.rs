//! Several viewers, slow ones, and ones that have disconnected.

use limpet_shared::{CloseCode, ServerMessage};

use crate::harness::{Client, Hello, Options, Server, client::viewer, until};

fn viewer_status(message: &ServerMessage) -> Option<(u32, bool)> {
    if let ServerMessage::Viewers { count, primary, .. } = message { Some((*count, *primary)) } else { None }
}

#[tokio::test]
async fn all_see_the_same_and_one_is_primary() {
    let server = Server::start(Options::default());
    let id = server.bash("while read line; do echo got $line; done").await;
    let mut one = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(one.wait_for_message("that it is alone", viewer_status).await, (1, true));
    let mut other = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(other.wait_for_message("that they are two", viewer_status).await, (2, false));
    assert_eq!(one.wait_for_message("that they are two", viewer_status).await, (2, true));
    other.type_in("hello\n").await;
    one.sees("got hello").await;
    other.sees("got hello").await;
    assert_eq!(server.details(&id).await.info.state.viewers, 2);
    other.reset_connection();
    assert_eq!(one.wait_for_message("that it is alone again", viewer_status).await, (1, true));
}

#[tokio::test]
async fn a_viewer_that_takes_nothing_does_not_slow_the_others() {
    for options in Options::thread_and_core_variants() {
        let server = Server::start(options);
        let id = server.bash("read go; seq 300000; echo done").await;
        let stalled = Client::attach(&server, &id, Hello::default().window(1000)).await.silent();
        let mut quick = Client::attach(&server, &id, Hello::default()).await;
        quick.type_in("\n").await;
        quick.sees("300000\r\ndone").await;
        let expected = (1..=300_000).map(|n| format!("{n}\r\n")).collect::<Vec<_>>().concat();
        assert!(quick.text().contains(&expected));
        drop(stalled);
    }
}

#[tokio::test]
async fn a_program_waits_for_its_only_viewer() {
    let server = Server::start(Options::args(["--tail", "512KiB"]));
    // The output is four times what the output log keeps, and much faster than this small window:
    // if the program had not waited, there would be a reset.
    let id = server.bash("read go; seq 300000").await;
    let mut client = Client::attach(&server, &id, Hello::default().window(300)).await;
    client.type_in("\n").await;
    client.read_to_end().await;
    let expected =
        "\r\n".to_owned() + &(1..=300_000).map(|n| format!("{n}\r\n")).collect::<Vec<_>>().concat();
    assert!(client.text() == expected, "{} bytes instead of {}", client.output.len(), expected.len());
}

#[tokio::test]
async fn no_program_waits_for_viewers_that_take_nothing() {
    let server = Server::start(Options::default());
    let id = server.bash("seq 1000000; read line").await;
    let mut client = Client::attach(&server, &id, Hello::default().window(1000)).await.silent();
    client.until("its window to be full", |client| client.output.len() == 1000).await;
    // After a while the program no longer waits, and then a new viewer misses the beginning.
    let reset = |message: &ServerMessage| match message {
        ServerMessage::Reset { output, skipped, .. } => Some((*output, *skipped)),
        _ => None,
    };
    let mut newcomer = loop {
        let newcomer = Client::attach(&server, &id, Hello::default().window(1)).await.silent();
        if newcomer.welcome.output.get() > 0 {
            break newcomer;
        }
    };
    let (output, skipped) = newcomer.wait_for_message("a reset", reset).await;
    assert_eq!((output, skipped), (newcomer.welcome.output, newcomer.welcome.output.get()));
}

#[tokio::test]
async fn who_falls_behind_the_tail_sees_the_screen_as_it_is() {
    let server = Server::start(Options::args(["--tail", "512KiB"]));
    let id = server.bash("read go; seq 1000000 1400000; echo done; read line; echo $line").await;
    let mut slow = Client::attach(&server, &id, Hello::default().window(5000)).await.silent();
    let mut quick = Client::attach(&server, &id, Hello::default()).await;
    quick.type_in("\n").await;
    quick.sees("1400000\r\ndone").await;
    let before = slow.received();
    slow.until("its window to be full", |client| client.output.len() >= 5000).await;
    slow.acknowledge().await;
    let reset = |message: &ServerMessage| match message {
        ServerMessage::Reset { output, skipped, earlier, .. } => Some((*output, *skipped, *earlier)),
        _ => None,
    };
    let (output, skipped, earlier) = slow.wait_for_message("what it missed", reset).await;
    assert_eq!((output.since(before), earlier), (skipped + 5000, 0), "all of the scrollback is there");
    quick.type_in("on it goes\n").await;
    slow.sees("on it goes").await;
    let last = (1_390_100..=1_400_000).map(|n| format!("{n}\r\n")).collect::<Vec<_>>().concat();
    assert!(slow.drawn().contains(&(last + "done\r\n")), "{}", slow.drawn());
}

#[tokio::test]
async fn a_viewer_that_attaches_anew_replaces_itself() {
    let server = Server::start(Options::default());
    let id = server.bash("read line; echo $line; read line").await;
    let hello = Hello { viewer: viewer(), ..Hello::default() };
    let mut old = Client::attach(&server, &id, hello.clone()).await;
    old.type_in("abc").await;
    old.wait_for_ack(3).await;
    let mut new = Client::attach(&server, &id, hello).await;
    assert_eq!(new.welcome.input.get(), 3, "it goes on where it was");
    assert_eq!(old.read_to_end().await, (None, Some(CloseCode::Replaced.code())));
    new.type_in("def\n").await;
    new.sees("abcdef\r\nabcdef").await;
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_let_go() {
    let server = Server::start(Options::default().env("LIMPET_HEARTBEAT_MS", "300"));
    let before = server.idle_census().await;
    let id = server.bash("read line").await;
    let mut attentive = Client::attach(&server, &id, Hello::default()).await;
    // Nothing reads this client's socket, so no ping is answered, as if its machine slept.
    let asleep = Client::attach(&server, &id, Hello::default()).await;
    assert_eq!(
        attentive
            .wait_for_message("that they are two", |m| viewer_status(m).filter(|(count, _)| *count == 2))
            .await,
        (2, true)
    );
    assert_eq!(
        attentive
            .wait_for_message("that it is alone", |m| viewer_status(m).filter(|(count, _)| *count == 1))
            .await,
        (1, true)
    );
    server.close(&id).await;
    drop((asleep, attentive));
    until("the descriptors to be closed", || server.census() == before).await;
}
