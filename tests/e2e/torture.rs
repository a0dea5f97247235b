//! Everything at once, for as long as requested: viewers that come and go, a server that is killed
//! and upgraded, floods and typing.
//!
//! `cargo xtask torture` runs it at length; the tests run a short version.

mod screen_comparison;

use std::{
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use limpet_shared::{ExitStatus, InputOffset, ServerMessage, SessionId};
use sha2::{Digest, Sha256};
use tokio::{task::JoinSet, time::sleep};

use self::screen_comparison::ScreenComparison;
use crate::harness::{
    Client, Hello, Options, Server,
    census::{resident_memory, threads},
    client::viewer,
    flaky_proxy::SeededRng,
    until,
};

/// Number of viewers of the session with numbered lines.
const VIEWERS: u64 = 4;

/// Number of kills and upgrades after which the screens are compared and something else is drawn.
const STRIKES_PER_DRAWING: u64 = 3;

/// Maximum growth of memory by the end of the test, in bytes. A freshly started server has used
/// less of its memory.
const MAX_MEMORY_GROWTH_BYTES: usize = 24 << 20;

/// End of transmission: the last key.
const END_OF_TRANSMISSION: char = '\x04';

/// Python program that reads until an end-of-transmission and prints the hash of everything before
/// it.
const HASH_PROGRAM: &str = r"
import hashlib, os
total = hashlib.sha256()
while True:
    read = os.read(0, 65536)
    end = read.find(4)
    total.update(read if end < 0 else read[:end])
    if end >= 0: break
print(total.hexdigest())
";

/// The amounts of work in a run.
#[derive(Clone, Copy, Debug)]
struct TortureConfig {
    reconnects: u64,
    kills: u64,
    upgrades: u64,
    seed: u64,
}

impl TortureConfig {
    /// Reads the amounts that `cargo xtask torture` sets. The defaults are small.
    fn from_environment() -> Self {
        let number = |name: &str, default| {
            env::var(name)
                .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
        };
        Self {
            reconnects: number("TORTURE_RECONNECTS", 200),
            kills: number("TORTURE_KILLS", 6),
            upgrades: number("TORTURE_UPGRADES", 4),
            seed: number("TORTURE_SEED", 1),
        }
    }
}

/// A check that lines arrive in order and once, however the output is divided.
#[derive(Debug, Default)]
struct LineChecker {
    last: u64,
    partial_line: Vec<u8>,
}

impl LineChecker {
    fn check(&mut self, output: &[u8]) {
        self.partial_line.extend_from_slice(output);
        while let Some(end) = self.partial_line.iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8(self.partial_line.drain(..=end).collect()).unwrap();
            self.last += 1;
            assert_eq!(line, format!("line {}\r\n", self.last), "no line is lost or doubled");
        }
    }
}

/// Attaches again and again, each time for a few bytes or many, and checks all output. Returns the
/// number of lines seen.
async fn follow(address: String, session: SessionId, mut rng: SeededRng, reconnects: Arc<AtomicU64>) -> u64 {
    let (mut checker, mut hello) = (LineChecker::default(), Hello::default().window(1 + rng.below(300_000)));
    loop {
        let Ok(mut client) = Client::attach_at(&address, &session, hello.clone()).await else { continue };
        let enough = rng.below(60_000);
        while (client.output.len() as u64) < enough && client.process_message().await {}
        let reset = client.control.iter().find(|message| matches!(message, ServerMessage::Reset { .. }));
        assert_eq!(reset, None, "nobody fell behind");
        checker.check(&client.output);
        if client.exit.is_some() {
            assert_eq!(client.exit, Some(ExitStatus::Code(0)));
            return checker.last;
        }
        hello = hello.resume(&client.epoch().clone(), client.received);
        client.reset_connection();
        reconnects.fetch_add(1, Relaxed);
    }
}

/// The typed input: the hash of what the server is known to have, and the rest, which it may not
/// have yet.
#[derive(Default)]
struct TypedInput {
    confirmed: u64,
    hash: Sha256,
    unconfirmed: String,
    lines: u64,
    is_ended: bool,
}

impl TypedInput {
    /// Records that the server has the input up to this offset.
    fn confirm(&mut self, input: InputOffset) {
        let confirmed: String =
            self.unconfirmed.drain(..usize::try_from(input.get() - self.confirmed).unwrap()).collect();
        self.confirmed = input.get();
        self.hash.update(confirmed.trim_end_matches(END_OF_TRANSMISSION));
    }

    fn add(&mut self, lines: u64, is_last: bool) {
        self.unconfirmed.extend((self.lines..self.lines + lines).map(|n| format!("key {n}\n")));
        self.unconfirmed.extend(is_last.then_some(END_OF_TRANSMISSION));
        self.lines += lines;
        self.is_ended = is_last;
    }
}

/// Types until told to stop, over connections that end with the server's process, and then ends the
/// program. Returns everything typed.
async fn type_until_stopped(
    address: String,
    session: SessionId,
    mut rng: SeededRng,
    stop: Arc<AtomicU64>,
) -> TypedInput {
    let (me, mut typed) = (viewer(), TypedInput::default());
    loop {
        let hello = Hello { viewer: me, ..Hello::default() };
        let Ok(mut client) = Client::attach_at(&address, &session, hello).await else { continue };
        typed.confirm(client.welcome.input);
        client.set_input_offset(typed.confirmed);
        if !typed.unconfirmed.is_empty() {
            client.type_in(&typed.unconfirmed).await;
        }
        while client.exit.is_none() {
            // More is typed only after everything before it is written.
            if typed.unconfirmed.is_empty() && !typed.is_ended {
                typed.add(1 + rng.below(200), stop.load(Relaxed) > 0);
                client.type_in(&typed.unconfirmed).await;
            }
            if !client.process_message().await {
                break;
            }
            for message in client.control.drain(..) {
                if let ServerMessage::Ack { input } = message {
                    typed.confirm(input);
                }
            }
        }
        if client.exit.is_some() {
            // The program has read its last key.
            typed.confirm(InputOffset::new(typed.confirmed + typed.unconfirmed.len() as u64));
            return typed;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_left_whatever_happens() {
    let config = TortureConfig::from_environment();
    eprintln!("{config:?}");
    let folder = tempfile::tempdir().unwrap();
    let stop_file = folder.path().join("stop");
    let options = Options::args(["--tail", "16MiB"]);
    let server = Server::start(options.clone());
    // Once the keeper has answered, it has processed all earlier messages.
    server.close(&server.bash("exit").await).await;
    let (descriptors, memory, memory_kept) = (
        server.idle_census().await.descriptors,
        resident_memory(server.server_pid()),
        resident_memory(server.keeper_pid()),
    );

    let lines = server.bash(&numbered_lines(&stop_file)).await;
    let keys = server.bash(&format!("stty raw -echo; exec python3 -c '{HASH_PROGRAM}'")).await;
    let reconnects = Arc::new(AtomicU64::new(0));
    let mut followers = JoinSet::new();
    for number in 0..VIEWERS {
        let rng = SeededRng::new(config.seed * 100 + number);
        followers.spawn(follow(server.address().to_owned(), lines.clone(), rng, Arc::clone(&reconnects)));
    }
    let stop = Arc::new(AtomicU64::new(0));
    let rng = SeededRng::new(config.seed * 100 + 50);
    let typist =
        tokio::spawn(type_until_stopped(server.address().to_owned(), keys.clone(), rng, Arc::clone(&stop)));

    let mut rng = SeededRng::new(config.seed * 100 + 60);
    let mut comparison = ScreenComparison::start(&server, options).await;
    let (mut kills, mut upgrades) = (0, 0);
    while kills < config.kills || upgrades < config.upgrades {
        assert_followers_alive(&mut followers);
        let strikes = kills + upgrades;
        if strikes % STRIKES_PER_DRAWING == 0 {
            comparison.assert_visible_equal().await;
            comparison.draw(&mut rng).await;
        }
        // The moment of the next kill or upgrade is random, so this sleep waits for no condition.
        sleep(Duration::from_millis(rng.below(150))).await;
        if kills < config.kills && (upgrades >= config.upgrades || rng.below(2) == 0) {
            server.kill().await;
            kills += 1;
        } else {
            let (done, said) = server.upgrade();
            assert!(done, "{said}");
            upgrades += 1;
        }
    }
    comparison.assert_visible_equal().await;
    comparison.assert_identical().await;
    comparison.end().await;
    while reconnects.load(Relaxed) < config.reconnects {
        assert_followers_alive(&mut followers);
        sleep(Duration::from_millis(10)).await;
    }
    fs::write(&stop_file, "").unwrap();
    stop.store(1, Relaxed);

    let mut seen = Vec::new();
    while let Some(last) = followers.join_next().await {
        seen.push(last.unwrap());
    }
    assert!(seen.iter().all(|last| *last == seen[0]), "all have seen all lines: {seen:?}");
    let typed = typist.await.unwrap();
    let expected = hex::encode(typed.hash.finalize());
    let screen = server.get(&format!("/api/sessions/{keys}/screen")).await.text().await.unwrap();
    assert!(screen.contains(&expected), "every key once: {screen}");
    server.close(&lines).await;
    server.close(&keys).await;
    until("descriptors and children to be as before", || {
        let now = server.census();
        now.descriptors <= descriptors && now.children == 0
    })
    .await;
    let (now, kept) = (resident_memory(server.server_pid()), resident_memory(server.keeper_pid()));
    assert!(
        now < memory + MAX_MEMORY_GROWTH_BYTES && kept < memory_kept + MAX_MEMORY_GROWTH_BYTES,
        "{memory} {now}, {memory_kept} {kept}"
    );
    eprintln!(
        "{} reconnects, {kills} kills, {upgrades} upgrades: {} lines to each of {VIEWERS} viewers and {} bytes of keys, \
         0 lost, 0 duplicated; memory of the server {} KiB before, {} KiB after, of the keeper {} and {}; {} threads",
        reconnects.load(Relaxed),
        seen[0],
        typed.confirmed,
        memory / 1024,
        now / 1024,
        memory_kept / 1024,
        kept / 1024,
        threads(server.server_pid()),
    );
}

/// Fails the test as soon as a viewer has ended early, and shows why.
fn assert_followers_alive(followers: &mut JoinSet<u64>) {
    if let Some(ended) = followers.try_join_next() {
        panic!("a viewer has seen the end, {:?} lines, before there was one", ended.unwrap());
    }
}

/// Returns a script that prints numbered lines until the file exists, at most a third of a megabyte
/// per second. Viewers that come and go read faster than that, since none may fall behind the
/// output log.
fn numbered_lines(stop_file: &Path) -> String {
    let stop = stop_file.display();
    format!(
        "i=0; until [ -e {stop} ]; do for ((j=0; j<100; j++)); do echo line $((++i)); done; read -t 0.003 x; done; exit 0"
    )
}
