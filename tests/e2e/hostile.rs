//! Programs whose output is meant to do harm, and its effect on others.

use std::time::{Duration, Instant};

use limpet_shared::{SessionId, api::SessionInfo};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Client, Hello, Options, Server, census::anonymous_memory, within};

/// Number of keys that are typed while the output is parsed.
const KEYS: usize = 30;

/// Maximum memory that a session's screen may cost, in bytes, whatever is printed. Free memory that
/// is not yet returned to the system counts.
const MAX_SCREEN_MEMORY_BYTES: usize = 64 << 20;

/// The output, as a Python expression, and the columns and rows of its terminal.
const ATTACKS: [(&str, u16, u16); 7] = [
    (r"'a' + '\u0301' * 1000 + '\x1b[2147483647b'", 80, 24),
    (r"'x\x1b[2147483647b' * 700", 80, 24),
    (r"'a' + '\u0301' * 20000", 80, 24),
    (r"'\x1b[4096L' * 300", 128, 4096),
    (r"'\x1b[44m' + '\x1b[2J' * 40", 4096, 128),
    (r"''.join('\x1b]8;;http://%d/%s\x07%d' % (n, 'x' * 60000, n) for n in range(60))", 80, 24),
    (r"''.join('\ro' + chr(768 + n % 112) + chr(768 + n // 112 % 112) for n in range(20000))", 80, 24),
];

async fn open(server: &Server, script: &str, cols: u16, rows: u16) -> SessionId {
    let command = json!({ "command": ["python3", "-c", script], "cols": cols, "rows": rows });
    let response = server.post("/api/sessions", command).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    response.json::<SessionInfo>().await.unwrap().id
}

/// Types keys one by one, and returns how long all their echoes took.
async fn time_echoes(client: &mut Client, keys: usize) -> Duration {
    let start = Instant::now();
    for _ in 0..keys {
        let seen = client.output.len();
        client.type_in("k").await;
        client.until("an echo", |client| client.output.len() > seen).await;
    }
    start.elapsed()
}

async fn wait_for_title(server: &Server, id: &SessionId, title: &str) {
    within("the end of what is parsed", async {
        while server.details(id).await.info.state.label != title {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn output_that_is_hard_to_parse_harms_nobody_else() {
    let server = Server::start(Options::default().env("MALLOC_TRIM_THRESHOLD_", "0"));
    let quiet = server.open_session(["cat"]).await;
    let mut client = Client::attach(&server, &quiet, Hello::default()).await;
    time_echoes(&mut client, KEYS).await;
    let idle = time_echoes(&mut client, KEYS).await;
    let before = anonymous_memory(server.server_pid());
    for (output, cols, rows) in ATTACKS {
        let script = format!(
            "import sys; sys.stdin.readline(); sys.stdout.write({output} + '\\x1b]2;over\\x07'); sys.stdout.flush(); sys.stdin.readline()"
        );
        let hostile = open(&server, &script, cols, rows).await;
        let mut attacker = Client::attach(&server, &hostile, Hello::default().size(cols, rows)).await;
        attacker.type_in("\n").await;
        let disturbed = time_echoes(&mut client, KEYS).await;
        assert!(disturbed < 20 * idle.max(Duration::from_millis(100)), "{output}: {disturbed:?}, {idle:?}");
        wait_for_title(&server, &hostile, "over").await;
        // A new viewer gets a snapshot, here after a change of the size.
        attacker.resize(40, 10).await;
        drop(Client::attach(&server, &hostile, Hello::default().follow_now()).await);
        let cost = anonymous_memory(server.server_pid()).saturating_sub(before);
        assert!(cost < MAX_SCREEN_MEMORY_BYTES, "{output}: {cost} bytes");
        drop(attacker);
        server.close(&hostile).await;
    }
}

#[tokio::test]
async fn a_new_server_is_not_held_up_by_it_either() {
    let server = Server::start(Options::default());
    let quiet = server.open_session(["cat"]).await;
    let (output, cols, rows) = ATTACKS[0];
    let script = format!(
        "import sys; sys.stdout.write({output} + '\\x1b]2;over\\x07'); sys.stdout.flush(); sys.stdin.readline()"
    );
    let hostile = open(&server, &script, cols, rows).await;
    wait_for_title(&server, &hostile, "over").await;
    server.kill().await;
    wait_for_title(&server, &hostile, "over").await;
    let mut client = Client::attach(&server, &quiet, Hello::default()).await;
    time_echoes(&mut client, KEYS).await;
}

#[tokio::test]
async fn no_terminal_has_too_many_cells() {
    let server = Server::start(Options::default());
    let open = |cols: u16, rows: u16| {
        server.post("/api/sessions", json!({ "command": ["cat"], "cols": cols, "rows": rows }))
    };
    for (cols, rows) in [(4096, 128), (128, 4096)] {
        assert_eq!(open(cols, rows).await.status(), StatusCode::CREATED);
    }
    let refused = open(4096, 129).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.text().await.unwrap().contains("524288"), "it is said why");
}
