//! The same program on two servers, one of which is killed and upgraded: their screens stay equal,
//! to the last cell.

use limpet_shared::{ClientMessage, ServerMessage, SessionId, ViewerId, api::Screen};
use reqwest::{Method, header::ACCEPT};

use crate::harness::{Client, Hello, Options, Server, client::viewer, flaky_proxy::SeededRng, within};

/// Script that draws something for each number it reads, all over the screen and into the
/// scrollback, and then puts the number into the title.
const DRAWING_SCRIPT: &str = r#"stty -echo; printf '\033]0;drawn 0\007'; while read n; do awk -v n=$n 'BEGIN {
    srand(n)
    for (i = 1; i <= 300; i++) {
        for (words = int(rand() * 25); words > 0; words--) printf "\033[%d;38;5;%dmword%d \033[m日", rand() * 5, rand() * 256, i
        print ""
        if (rand() < 0.1) printf "\0337\033[%d;%dH\033[7m over \033[K\033[m\0338", rand() * 30, rand() * 90
        if (rand() < 0.02) printf "\033[2;%dr\033[5;1H\n\n\033[r\033[H\033[2L\033[J", 6 + rand() * 10
        if (rand() < 0.01) printf "\033[?1049h\033[4;7Hother %d\033[?1049l", i
    }
    if (n % 5 == 0) printf "\033[?1049h\033[4;7Hin the other one"
    if (n % 5 == 1) printf "\033[?1049l"
    printf "\033]0;drawn %d\007", n
}'; done"#;

/// The two sessions that are compared.
pub(super) struct ScreenComparison<'a> {
    tested: &'a Server,
    reference: Server,
    sessions: [SessionId; 2],
    viewer: ViewerId,
    size: (u16, u16),
    drawings: u32,
}

impl<'a> ScreenComparison<'a> {
    pub(super) async fn start(tested: &'a Server, options: Options) -> Self {
        let reference = Server::start(options);
        let sessions = [tested.bash(DRAWING_SCRIPT).await, reference.bash(DRAWING_SCRIPT).await];
        Self { tested, reference, sessions, viewer: viewer(), size: (80, 24), drawings: 0 }
    }

    fn both(&self) -> [(&Server, &SessionId); 2] {
        let [tested, reference] = &self.sessions;
        [(self.tested, tested), (&self.reference, reference)]
    }

    fn hello(&self) -> Hello {
        Hello { viewer: self.viewer, ..Hello::default().size(self.size.0, self.size.1).follow_now() }
    }

    /// Makes both programs draw something else, at another size. The previous drawing must be
    /// complete.
    pub(super) async fn draw(&mut self, rng: &mut SeededRng) {
        self.drawings += 1;
        let mut size = |least, more| least + u16::try_from(rng.below(more)).unwrap();
        self.size = (size(20, 100), size(5, 40));
        let text = format!("{}\n", self.drawings);
        for (server, session) in self.both() {
            let mut client = Client::attach(server, session, self.hello()).await;
            let written = client.welcome.input.advanced(text.len());
            client.type_in(&text).await;
            client.wait_for_ack(written.get()).await;
        }
    }

    /// Waits until both programs have finished drawing, and compares the visible screens.
    pub(super) async fn assert_visible_equal(&self) {
        let title = format!("drawn {}", self.drawings);
        let mut screens = Vec::new();
        for (server, session) in self.both() {
            let shown = async {
                loop {
                    let screen = screen(server, session).await;
                    if screen.title == title {
                        break screen;
                    }
                }
            };
            screens.push(within(&title, shown).await);
        }
        assert_eq!(screens[0], screens[1], "{title}");
    }

    /// Compares everything: cells, their styles, the scrollback, the state of the terminal.
    pub(super) async fn assert_identical(&self) {
        let mut snapshots = Vec::new();
        for (server, session) in self.both() {
            let mut client = Client::attach(server, session, self.hello()).await;
            client.say(&ClientMessage::History).await;
            client.say(&ClientMessage::Ping { t: 1.into() }).await;
            let answered =
                |message: &ServerMessage| matches!(message, ServerMessage::Pong { .. }).then_some(());
            client.wait_for_message("that all is drawn", answered).await;
            snapshots.push(client.drawn());
        }
        assert!(snapshots[0].len() > 10_000, "{}", snapshots[0]);
        let differ = || {
            let at = snapshots[0]
                .bytes()
                .zip(snapshots[1].bytes())
                .take_while(|(one, other)| one == other)
                .count();
            format!("of {} and {} bytes {at} are the same", snapshots[0].len(), snapshots[1].len())
        };
        assert!(snapshots[0] == snapshots[1], "{}", differ());
    }

    pub(super) async fn end(self) {
        for (server, session) in self.both() {
            server.close(session).await;
        }
    }
}

async fn screen(server: &Server, id: &SessionId) -> Screen {
    let request = server.request(Method::GET, &format!("/api/sessions/{id}/screen"));
    request.header(ACCEPT, "application/json").send().await.unwrap().json().await.unwrap()
}
