//! Everything at once, for as long as requested: viewers that come and go, a server that is killed
//! and upgraded, floods and typing.
//!
//! `cargo xtask torture` runs it at length; the tests run a short version.

mod pictures;

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

use self::pictures::Pictures;
use crate::harness::{
    Client, Hello, Options, Server,
    census::{resident, threads},
    client::viewer,
    cutter::Seeded,
    until,
};

/// Number of viewers of the session with numbered lines.
const VIEWERS: u64 = 4;

/// Number of kills and upgrades after which the screens are compared and something else is drawn.
const DRAWN: u64 = 3;

/// Maximum growth of memory by the end of the test, in bytes. A freshly started server has used
/// less of its memory.
const MEMORY: usize = 24 << 20;

/// End of transmission: the last key.
const END: char = '\x04';

/// Python program that reads until an end-of-transmission and prints the hash of everything before
/// it.
const SUM: &str = r"
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
struct Measure {
    reconnects: u64,
    kills: u64,
    upgrades: u64,
    seed: u64,
}

impl Measure {
    /// Reads the amounts that `cargo xtask torture` sets. The defaults are small.
    fn from_environment() -> Self {
        let number = |name: &str, default| {
            env::var(name)
                .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
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
struct Lines {
    last: u64,
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, output: &[u8]) {
        self.begun.extend_from_slice(output);
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8(self.begun.drain(..=end).collect()).unwrap();
            self.last += 1;
            assert_eq!(line, format!("line {}\r\n", self.last), "no line is lost or doubled");
        }
    }
}

/// Attaches again and again, each time for a few bytes or many, and checks all output. Returns the
/// number of lines seen.
async fn follow(address: String, session: SessionId, mut seeded: Seeded, reconnects: Arc<AtomicU64>) -> u64 {
    let (mut lines, mut hello) = (Lines::default(), Hello::default().window(1 + seeded.below(300_000)));
    loop {
        let Ok(mut client) = Client::attach_at(&address, &session, hello.clone()).await else { continue };
        let enough = seeded.below(60_000);
        while (client.output.len() as u64) < enough && client.turn().await {}
        let reset = client.control.iter().find(|message| matches!(message, ServerMessage::Reset { .. }));
        assert_eq!(reset, None, "nobody fell behind");
        lines.take(&client.output);
        if client.exit.is_some() {
            assert_eq!(client.exit, Some(ExitStatus::Code(0)));
            return lines.last;
        }
        hello = hello.resume(&client.epoch().clone(), client.received);
        client.vanish();
        reconnects.fetch_add(1, Relaxed);
    }
}

/// The typed input: the hash of what the server is known to have, and the rest, which it may not
/// have yet.
#[derive(Default)]
struct Typed {
    confirmed: u64,
    sum: Sha256,
    rest: String,
    lines: u64,
    is_ended: bool,
}

impl Typed {
    /// Records that the server has the input up to this offset.
    fn confirm(&mut self, input: InputOffset) {
        let confirmed: String =
            self.rest.drain(..usize::try_from(input.get() - self.confirmed).unwrap()).collect();
        self.confirmed = input.get();
        self.sum.update(confirmed.trim_end_matches(END));
    }

    fn add(&mut self, lines: u64, is_last: bool) {
        self.rest.extend((self.lines..self.lines + lines).map(|n| format!("key {n}\n")));
        self.rest.extend(is_last.then_some(END));
        self.lines += lines;
        self.is_ended = is_last;
    }
}

/// Types until told to stop, over connections that end with the server's process, and then ends the
/// program. Returns everything typed.
async fn type_on(address: String, session: SessionId, mut seeded: Seeded, stop: Arc<AtomicU64>) -> Typed {
    let (me, mut typed) = (viewer(), Typed::default());
    loop {
        let hello = Hello { viewer: me, ..Hello::default() };
        let Ok(mut client) = Client::attach_at(&address, &session, hello).await else { continue };
        typed.confirm(client.welcome.input);
        client.types_from(typed.confirmed);
        if !typed.rest.is_empty() {
            client.type_in(&typed.rest).await;
        }
        while client.exit.is_none() {
            // More is typed only after everything before it is written.
            if typed.rest.is_empty() && !typed.is_ended {
                typed.add(1 + seeded.below(200), stop.load(Relaxed) > 0);
                client.type_in(&typed.rest).await;
            }
            if !client.turn().await {
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
            typed.confirm(InputOffset::new(typed.confirmed + typed.rest.len() as u64));
            return typed;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_left_whatever_happens() {
    let measure = Measure::from_environment();
    eprintln!("{measure:?}");
    let folder = tempfile::tempdir().unwrap();
    let stop_file = folder.path().join("stop");
    let options = Options::args(["--tail", "16MiB"]);
    let server = Server::start(options.clone());
    // Once the keeper has answered, it has processed all earlier messages.
    server.close(&server.bash("exit").await).await;
    let (descriptors, memory, memory_kept) =
        (server.idle_census().await.descriptors, resident(server.pid()), resident(server.keeper()));

    let lines = server.bash(&numbered_lines(&stop_file)).await;
    let keys = server.bash(&format!("stty raw -echo; exec python3 -c '{SUM}'")).await;
    let reconnects = Arc::new(AtomicU64::new(0));
    let mut followers = JoinSet::new();
    for number in 0..VIEWERS {
        let seeded = Seeded::new(measure.seed * 100 + number);
        followers.spawn(follow(server.address().to_owned(), lines.clone(), seeded, Arc::clone(&reconnects)));
    }
    let stop = Arc::new(AtomicU64::new(0));
    let seeded = Seeded::new(measure.seed * 100 + 50);
    let typist = tokio::spawn(type_on(server.address().to_owned(), keys.clone(), seeded, Arc::clone(&stop)));

    let mut seeded = Seeded::new(measure.seed * 100 + 60);
    let mut pictures = Pictures::begin(&server, options).await;
    let (mut kills, mut upgrades) = (0, 0);
    while kills < measure.kills || upgrades < measure.upgrades {
        all_follow(&mut followers);
        let strikes = kills + upgrades;
        if strikes % DRAWN == 0 {
            pictures.are_equal().await;
            pictures.draw(&mut seeded).await;
        }
        // The moment of the next kill or upgrade is random, so this sleep waits for no condition.
        sleep(Duration::from_millis(seeded.below(150))).await;
        if kills < measure.kills && (upgrades >= measure.upgrades || seeded.below(2) == 0) {
            server.kill().await;
            kills += 1;
        } else {
            let (done, said) = server.upgrade();
            assert!(done, "{said}");
            upgrades += 1;
        }
    }
    pictures.are_equal().await;
    pictures.are_the_same().await;
    pictures.end().await;
    while reconnects.load(Relaxed) < measure.reconnects {
        all_follow(&mut followers);
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
    let expected = hex::encode(typed.sum.finalize());
    let screen = server.get(&format!("/api/sessions/{keys}/screen")).await.text().await.unwrap();
    assert!(screen.contains(&expected), "every key once: {screen}");
    server.close(&lines).await;
    server.close(&keys).await;
    until("descriptors and children to be as before", || {
        let now = server.census();
        now.descriptors <= descriptors && now.children == 0
    })
    .await;
    let (now, kept) = (resident(server.pid()), resident(server.keeper()));
    assert!(now < memory + MEMORY && kept < memory_kept + MEMORY, "{memory} {now}, {memory_kept} {kept}");
    eprintln!(
        "{} reconnects, {kills} kills, {upgrades} upgrades: {} lines to each of {VIEWERS} viewers and {} bytes of keys, \
         0 lost, 0 doubled; memory of the server {} KiB before, {} KiB after, of the keeper {} and {}; {} threads",
        reconnects.load(Relaxed),
        seen[0],
        typed.confirmed,
        memory / 1024,
        now / 1024,
        memory_kept / 1024,
        kept / 1024,
        threads(server.pid()),
    );
}

/// Fails the test as soon as a viewer has ended early, and shows why.
fn all_follow(followers: &mut JoinSet<u64>) {
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
