//! Whole sessions: sizes that change while viewers are attached, behind or away; servers that are
//! killed and replaced; control strings that are cut; real programs.
//!
//! An xterm.js gets the output that a viewer's terminal was given, and another one the output of a
//! viewer that is attached all the time. Both must arrive at the same state, to the last cell. The
//! server's own screen must show the same text.

use std::{env, mem};

use limpet_shared::{ClientMessage, SessionId, Winsize, api::Screen};
use reqwest::{Method, header::ACCEPT};
use serde_json::json;

use crate::{
    generate::{self, Kind, Random},
    harness::{Client, Hello, Options, Server, Shown, client::viewer},
    oracle::{Difference, Oracle},
    sizes::{print, repeater, set_size},
    stream::{Step, Stream},
};

/// Rows of scrollback: no more than a snapshot has for a viewer that has fallen behind.
const SCROLLBACK_ROWS: usize = 40;

/// Number of viewers of a session, beside the one that types.
const VIEWER_COUNT: usize = 3;

/// Control strings that are longer than the stored maximum, in two parts.
const LONG_STRINGS: [(&str, &str, &str); 4] = [
    ("\x1b]1337;File=inline=1:", "A", "A\x07"),
    ("\x1b]2;", "日本", "語\x1b\\"),
    ("\x1bPq", "~é", "~\x1b\\"),
    ("\x1b_G", "AAAA", "日\x1b\\"),
];

/// A viewer that comes and goes.
enum Viewer {
    Away(Shown),
    Here(Box<Client>),
}

/// A session on which a stream is played.
struct Playback<'a> {
    server: &'a Server,
    id: SessionId,
    random: Random,
    typist: Client,
    typist_hello: Hello,
    viewers: Vec<Viewer>,
    /// The output printed so far, and the sizes.
    played: Vec<Step>,
    size: Winsize,
    resizes: u64,
}

impl<'a> Playback<'a> {
    async fn begin(server: &'a Server, size: Winsize, random: Random) -> Self {
        let id = repeater(server, size).await;
        let typist_hello = Hello { viewer: viewer(), ..Hello::default() };
        let mut typist = Client::attach(server, &id, typist_hello.clone()).await.on(Shown::default());
        typist.sees("ready").await;
        let viewers = (0..VIEWER_COUNT).map(|_| Viewer::Away(Shown::default())).collect();
        let played = vec![Step::Output(b"ready".to_vec())];
        Self { server, id, random, typist, typist_hello, viewers, played, size, resizes: 0 }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Output(output) => print(&mut self.typist, std::str::from_utf8(output).unwrap()).await,
            Step::Resize(size) => {
                set_size(self.server, &self.id, *size).await;
                self.resizes += u64::from(*size != self.size);
                self.size = *size;
            }
        }
        self.played.push(step.clone());
    }

    /// Lets one of the viewers act.
    async fn act_on_random_viewer(&mut self) {
        let at = self.random.below(VIEWER_COUNT);
        let viewer = mem::replace(&mut self.viewers[at], Viewer::Away(Shown::default()));
        self.viewers[at] = match (viewer, self.random.below(6)) {
            (Viewer::Here(client), 0) => Viewer::Away(client.leave()),
            (Viewer::Here(mut client), 1 | 2) => {
                self.wait_until_caught_up(&mut client).await;
                Viewer::Away(client.leave())
            }
            (Viewer::Here(mut client), 3) => {
                self.wait_until_caught_up(&mut client).await;
                client.say(&ClientMessage::History).await;
                Viewer::Here(client)
            }
            (Viewer::Here(client), _) => Viewer::Here(client),
            // This stands for a page that was reloaded.
            (Viewer::Away(_), 0) => Viewer::Here(Box::new(self.attach(Shown::default(), 1).await)),
            (Viewer::Away(shown), 1 | 2) => {
                let window = 1 + self.random.below(300) as u64;
                Viewer::Here(Box::new(self.attach(shown, window).await.silent()))
            }
            (Viewer::Away(shown), _) => Viewer::Here(Box::new(self.attach(shown, 256 * 1024).await)),
        };
    }

    async fn attach(&mut self, shown: Shown, window: u64) -> Client {
        let size = generate::size(&mut self.random);
        let hello = Hello::default().size(size.cols, size.rows).window(window).go_on(&shown);
        let hello = if self.random.below(3) == 0 { hello } else { hello.follow_now() };
        Client::attach(self.server, &self.id, hello).await.on(shown)
    }

    async fn wait_until_caught_up(&self, client: &mut Client) {
        client.catches_up().await;
        let end = (self.typist.received(), self.resizes);
        client.until("everything", |c| c.shown().position() == end && c.shown().is_whole()).await;
    }

    /// Kills or upgrades the server.
    async fn replace_server(&mut self) {
        for viewer in &mut self.viewers {
            let away = Viewer::Away(Shown::default());
            if let Viewer::Here(client) = mem::replace(viewer, away) {
                *viewer = Viewer::Away(client.leave());
            }
        }
        if self.random.below(3) == 0 {
            let (done, said) = self.server.upgrade();
            assert!(done, "{said}");
        } else {
            self.server.kill().await;
        }
        let shown = self.typist.shown().clone();
        let hello = self.typist_hello.clone().go_on(&shown);
        self.typist = Client::attach(self.server, &self.id, hello).await.on(shown);
    }

    /// Lets all viewers see the end, and returns their differences from a terminal that was
    /// attached all the time.
    async fn differences(mut self, oracle: &mut Oracle) -> Vec<String> {
        let first = self.played_from();
        let mut differences = Vec::new();
        let mut differ = |who: &str, steps: &[Step]| {
            let found = oracle.compare(first.size, SCROLLBACK_ROWS, &first.steps, first.size, steps);
            if let Some(Difference(what, left, right)) = found.into_iter().next() {
                differences.push(format!("{who}: {what}: {left} | {right}"));
            }
        };
        for at in 0..VIEWER_COUNT {
            let mut client = match mem::replace(&mut self.viewers[at], Viewer::Away(Shown::default())) {
                Viewer::Here(client) => client,
                Viewer::Away(shown) => Box::new(self.attach(shown, 256 * 1024).await),
            };
            self.wait_until_caught_up(&mut client).await;
            differ(&format!("viewer {at}"), &client.shown().steps);
        }
        let mut typist = self.typist;
        typist.until("the last size", |client| client.shown().resizes() == self.resizes).await;
        differ("the one that types", &typist.shown().steps);
        let (lines, cursor) = oracle.text(&first, SCROLLBACK_ROWS);
        let request = self.server.request(Method::GET, &format!("/api/sessions/{}/screen", self.id));
        let text: Screen =
            request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap();
        if (&text.lines, (text.cursor.x, text.cursor.y)) != (&lines, cursor) {
            differences.push(format!("text: {lines:?} {cursor:?} | {:?} {:?}", text.lines, text.cursor));
        }
        self.server.close(&self.id).await;
        differences
    }

    fn played_from(&self) -> Stream {
        let size = self.typist.shown().steps.iter().find_map(|step| match step {
            Step::Resize(size) => Some(*size),
            Step::Output(_) => None,
        });
        Stream { size: size.unwrap(), steps: self.played.clone() }
    }
}

/// Returns a stream for a session: several generated ones, and control strings that are cut.
fn stream(random: &mut Random) -> Stream {
    let first = generate::stream(random, Kind::Usual);
    let mut steps = first.steps;
    for _ in 0..2 {
        let (begin, content, end) = LONG_STRINGS[random.below(LONG_STRINGS.len())];
        steps.push(Step::Resize(generate::size(random)));
        steps.push(Step::Output([begin, &content.repeat(70_000 / content.len())].concat().into_bytes()));
        steps.push(Step::Output(format!("{end}the next line\r\n").into_bytes()));
        steps.push(Step::Resize(generate::size(random)));
        steps.extend(generate::stream(random, Kind::Usual).steps);
    }
    Stream { size: first.size, steps }
}

/// Plays `sessions` sessions on one server, which is killed or upgraded after `replacement_percent`
/// of a hundred steps. Returns the differences.
async fn play(sessions: u64, replacement_percent: usize) -> Vec<String> {
    let scrollback = SCROLLBACK_ROWS.to_string();
    let server = Server::start(Options::args(["--scrollback", &scrollback]));
    let mut oracle = Oracle::start();
    let number_from_env = |name| env::var(name).ok().and_then(|number| number.parse().ok());
    let first: u64 = number_from_env("SCREEN_SEED").unwrap_or(1);
    let mut different = Vec::new();
    for seed in first..first + number_from_env("SCREEN_CASES").unwrap_or(sessions) {
        let mut random = Random::new(seed);
        let stream = stream(&mut random);
        let mut play = Playback::begin(&server, stream.size, random).await;
        for step in &stream.steps {
            for _ in 0..play.random.below(3) {
                play.act_on_random_viewer().await;
            }
            play.step(step).await;
            if play.random.below(100) < replacement_percent {
                play.replace_server().await;
            }
        }
        let differences = play.differences(&mut oracle).await;
        different.extend(differences.into_iter().map(|what| format!("{seed} {what}")));
    }
    different
}

/// Plays sessions, and checks that all terminals arrive at the same state. The streams are few and
/// always the same, because some of all generated streams differ for the reasons in docs/screen.md.
async fn assert_all_equal(sessions: u64, replacement_percent: usize) {
    let different = play(sessions, replacement_percent).await;
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[tokio::test]
async fn viewers_that_come_and_go_see_what_those_see_who_stay() {
    assert_all_equal(4, 0).await;
}

#[tokio::test]
async fn viewers_see_the_same_however_often_the_server_is_replaced() {
    assert_all_equal(3, 8).await;
}

/// A real program.
struct Program {
    command: &'static [&'static str],
    /// Input typed on a phone, and output that shows that it has arrived.
    on_the_phone: (&'static str, &'static str),
    /// The same for a desktop afterwards.
    on_the_desktop: (&'static str, &'static str),
}

const PROGRAMS: [Program; 3] = [
    Program {
        command: &["bash", "--norc", "--noprofile", "-i"],
        on_the_phone: (
            "seq 30\recho this line is longer than a phone is wide, so that it takes several rows \x01\x1b[C\x1b[Cqq",
            "qq",
        ),
        on_the_desktop: ("\x05; echo fini''shed\r", "finished\r\n"),
    },
    Program {
        command: &["less", concat!(env!("CARGO_MANIFEST_DIR"), "/../PROTOCOL.md")],
        on_the_phone: ("  /server\r", "\x1b[7mserver"),
        on_the_desktop: ("G", "(END)"),
    },
    Program {
        command: &["top", "-d", "0.3"],
        on_the_phone: ("c", "COMMAND"),
        on_the_desktop: ("h", "Help for Interactive"),
    },
];

#[tokio::test]
async fn programs_that_are_edited_on_a_phone_meanwhile_show_on_a_desktop_what_they_always_did() {
    let server = Server::start(Options::args(["--scrollback", "40"]));
    let mut oracle = Oracle::start();
    for Program { command, on_the_phone, on_the_desktop } in PROGRAMS {
        let session = json!({ "command": command, "cols": 120, "rows": 40 });
        let info =
            server.post("/api/sessions", session).await.json::<limpet_shared::api::SessionInfo>().await;
        let id = info.unwrap().id;
        let desktop_hello = Hello { viewer: viewer(), ..Hello::default().size(120, 40).follow_now() };
        let mut desktop = Client::attach(&server, &id, desktop_hello.clone()).await.on(Shown::default());
        let mut always =
            Client::attach(&server, &id, Hello::default().size(120, 40)).await.on(Shown::default());
        desktop.until("something", |client| client.received().get() > 0 && client.shown().is_whole()).await;
        let shown = desktop.leave();

        let mut phone = Client::attach(&server, &id, Hello::default().size(40, 20).follow_now())
            .await
            .on(Shown::default());
        phone.say(&ClientMessage::Primary { to: None }).await;
        wait_for_redraw(&mut phone, 1).await;
        type_and_wait(&mut phone, on_the_phone).await;
        drop(phone);

        let mut desktop = Client::attach(&server, &id, desktop_hello.go_on(&shown)).await.on(shown);
        desktop.say(&ClientMessage::Primary { to: None }).await;
        wait_for_redraw(&mut desktop, 2).await;
        type_and_wait(&mut desktop, on_the_desktop).await;
        let position = desktop.shown().position();
        always.until("as much", |client| client.shown().position() >= position).await;
        let (size, model) = (Winsize::cells(120, 40), always.shown().until(position));
        let differences = oracle.compare(size, SCROLLBACK_ROWS, &model, size, &desktop.shown().steps);
        assert!(differences.is_empty(), "{command:?}: {differences:?}");
        server.close(&id).await;
    }
}

/// Waits until the program has drawn something after `resizes` size changes. Some programs lose
/// earlier input.
async fn wait_for_redraw(client: &mut Client, resizes: u64) {
    client.until("the size", |client| client.shown().resizes() >= resizes).await;
    let before = client.received();
    client.until("what the program makes of it", |client| client.received() > before).await;
}

/// Types text, and waits for the output that shows that it has arrived.
async fn type_and_wait(client: &mut Client, (text, shows): (&str, &str)) {
    client.type_in(text).await;
    client.until(shows, |client| (client.drawn() + &client.text()).contains(shows)).await;
}
