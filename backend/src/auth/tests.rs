//! Tests of credentials, sign-ins and the limit on guesses.

use std::sync::atomic::AtomicUsize;

use limpet_shared::Role;

use super::*;

const TOKEN: &str = "9f86d081884c7d65";

fn auth() -> Auth {
    Auth::new(&Token::new(TOKEN).unwrap(), None)
}

fn from(address: &str) -> Client {
    Client::new(address.parse().ok(), None)
}

fn bearer(token: &str) -> Credentials<'_> {
    Credentials { bearer: Some(token), ..Credentials::default() }
}

/// Signs in a browser, and returns its `Cookie` header and its key.
fn browser(auth: &Auth, token: &str) -> (String, String) {
    let signed_in = auth.sign_in(token, Credentials::default(), from("192.0.2.1"), "").unwrap();
    (format!("{}={}", auth.cookie_name, signed_in.cookie), signed_in.key.reveal().to_owned())
}

fn both((cookies, key): &(String, String)) -> Credentials<'_> {
    Credentials { bearer: None, cookies: Some(cookies), key: Some(key) }
}

fn access(auth: &Auth, shown: Credentials<'_>) -> Result<Access, Denied> {
    auth.authenticate(shown, from("192.0.2.1")).map(|principal| principal.access)
}

#[test]
fn only_the_token_is_the_token() {
    let auth = auth();
    assert_eq!(access(&auth, bearer(TOKEN)), Ok(Access::Owner));
    for text in ["", "0123456789abcde", "9f86d081884c7d650", "0123456789abcdeF"] {
        assert_eq!(access(&auth, bearer(text)), Err(Denied::Wrong), "{text}");
    }
    assert_eq!(access(&auth, Credentials::default()), Err(Denied::NoCredentials));
}

#[test]
fn a_cookie_alone_is_no_credential() {
    let auth = auth();
    let (one, other) = (browser(&auth, TOKEN), browser(&auth, TOKEN));
    assert_eq!(access(&auth, both(&one)), Ok(Access::Owner));
    let with_key = |key| access(&auth, Credentials { key, ..both(&one) });
    for key in [None, Some(""), Some(other.1.as_str()), Some(&one.0)] {
        assert_eq!(with_key(key), Err(Denied::Wrong), "{key:?}");
    }
    assert_eq!(access(&auth, Credentials { cookies: None, ..both(&one) }), Err(Denied::NoCredentials));
    let foreign = Credentials { cookies: Some("other=1; limpet-00000000=x"), ..both(&one) };
    assert_eq!(access(&auth, foreign), Err(Denied::NoCredentials), "cookies of others are not looked at");

    let half = auth.accept_cookie(both(&one), from("192.0.2.1")).unwrap();
    let complete =
        |key: &str| auth.complete_sign_in(&half, Some(&SignInKey::new(key.into())), from("192.0.2.1"));
    assert!(complete(&one.1).is_ok());
    assert_eq!(complete(&other.1).unwrap_err(), Denied::Wrong);
    assert_eq!(auth.complete_sign_in(&half, None, from("192.0.2.1")).unwrap_err(), Denied::Wrong);
}

#[test]
fn cookies_that_others_have_set_do_not_hide_ours() {
    let auth = auth();
    let (cookies, key) = browser(&auth, TOKEN);
    let planted = (format!("{}=planted; x=1; {cookies}", auth.cookie_name), key);
    assert_eq!(access(&auth, both(&planted)), Ok(Access::Owner));
}

#[test]
fn while_too_much_was_wrong_right_and_wrong_are_answered_alike() {
    let auth = auth();
    let (stranger, owner) = (from("192.0.2.9"), from("192.0.2.1"));
    let signed_in = browser(&auth, TOKEN);
    let pass = auth.encode_pass(&Pass { session: "s".parse().unwrap(), role: Role::Reader });
    let wrong = format!("{}=wrong", auth.cookie_name);
    let guesses = [
        bearer("wrong"),
        bearer("reader.s.wrong"),
        Credentials { cookies: Some(&wrong), ..Credentials::default() },
        Credentials { cookies: Some(&signed_in.0), key: Some("wrong"), bearer: None },
    ];
    let counted = (0..100).take_while(|&number: &usize| {
        auth.authenticate(guesses[number % 4], stranger).unwrap_err() == Denied::Wrong
    });
    assert_eq!(counted.count(), GUESS_RATE.burst as usize);
    let limited = |result: Result<Principal, Denied>| matches!(result, Err(Denied::RateLimited(_)));
    for shown in guesses.into_iter().chain([bearer(TOKEN), bearer(&pass)]) {
        assert!(limited(auth.authenticate(shown, stranger)));
    }
    for token in [TOKEN, "wrong", &pass] {
        let denied = auth.sign_in(token, Credentials::default(), stranger, "").unwrap_err();
        assert!(matches!(denied, Denied::RateLimited(_)), "{token}");
    }
    assert!(matches!(auth.accept_cookie(guesses[2], stranger), Err(Denied::RateLimited(_))));
    // Neither other addresses nor signed-in browsers are affected.
    assert!(auth.authenticate(bearer(TOKEN), owner).is_ok());
    assert!(auth.authenticate(both(&signed_in), stranger).is_ok());
}

#[test]
fn a_cookie_that_is_replayed_keeps_nobody_from_logging_in() {
    let auth = auth();
    let (cookies, _) = browser(&auth, TOKEN);
    let replayed = Credentials { cookies: Some(&cookies), ..Credentials::default() };
    let client = from("192.0.2.1");
    for _ in 0..100 {
        assert_eq!(access(&auth, replayed), Err(Denied::Wrong));
        let half = auth.accept_cookie(replayed, client).unwrap();
        assert_eq!(auth.complete_sign_in(&half, None, client).unwrap_err(), Denied::Wrong);
    }
    assert!(auth.sign_in(TOKEN, Credentials::default(), client, "").is_ok());
}

#[test]
fn a_share_link_says_nothing_about_the_token() {
    let pass = Pass { session: "s".parse().unwrap(), role: Role::Reader };
    let (one, other) = (auth(), auth());
    assert_ne!(one.encode_pass(&pass), other.encode_pass(&pass), "they have the same token");
    assert_ne!(one.cookie_name, other.cookie_name);
    let again = Auth::new(&Token::random(), Some(one.snapshot()));
    assert_eq!(again.encode_pass(&pass), one.encode_pass(&pass));
}

#[test]
fn what_is_saved_lets_the_same_browsers_in() {
    let one = auth();
    let signed_in = browser(&one, TOKEN);
    let text = serde_json::to_string(&one.snapshot()).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains(&signed_in.1));
    let again = Auth::new(&Token::random(), serde_json::from_str(&text).unwrap());
    assert_eq!(access(&again, both(&signed_in)), Ok(Access::Owner));
}

#[test]
fn a_sign_in_ends_when_it_is_told_to() {
    let auth = auth();
    let (one, other) = (browser(&auth, TOKEN), browser(&auth, TOKEN));
    let client = from("192.0.2.1");
    let principal = |shown| auth.authenticate(both(shown), client).unwrap().sign_in.unwrap();
    let (mine, theirs) = (principal(&one), principal(&other));
    let listed = auth.sign_ins(Some(&mine));
    assert_eq!(
        listed.iter().filter(|sign_in| sign_in.you).map(|you| &you.id).collect::<Vec<_>>(),
        [&mine.id]
    );
    assert!(auth.revoke(&theirs.id, client) && theirs.revoked.is_cancelled());
    assert!(!auth.revoke(&theirs.id, client));
    assert_eq!(access(&auth, both(&other)), Err(Denied::Wrong));
    assert!(!mine.revoked.is_cancelled());
    auth.sign_out(&mine, client);
    assert!(mine.revoked.is_cancelled() && auth.sign_ins(None).is_empty());
}

#[test]
fn a_browser_that_lost_its_key_leaves_nothing_behind() {
    let auth = auth();
    let (cookies, _) = browser(&auth, TOKEN);
    let pass = auth.encode_pass(&Pass { session: "s".parse().unwrap(), role: Role::Reader });
    let lost = Credentials { cookies: Some(&cookies), ..Credentials::default() };
    // A client that has only a share link and somebody's cookie cannot end that sign-in.
    auth.sign_in(&pass, lost, from("192.0.2.1"), "").unwrap();
    assert_eq!(auth.sign_ins(None).len(), 2);
    auth.sign_in(TOKEN, lost, from("192.0.2.1"), "").unwrap();
    assert_eq!(auth.sign_ins(None).len(), 2);
}

#[test]
fn sign_ins_from_one_address_are_limited() {
    let auth = auth();
    let sign_in = |client| auth.sign_in(TOKEN, Credentials::default(), client, "");
    let count = (0..1000).take_while(|_| sign_in(from("192.0.2.9")).is_ok()).count();
    assert_eq!(count, SIGN_IN_RATE.burst as usize);
    assert_eq!(sign_in(from("192.0.2.9")).unwrap_err(), Denied::TooManySignIns);
    assert!(sign_in(from("192.0.2.1")).is_ok());
}

#[test]
fn the_cookie_is_for_this_origin_alone() {
    let auth = auth();
    let header = auth.set_cookie("value", &"/a".parse().unwrap(), false);
    let (cookie, attributes) = header.split_once("; ").unwrap();
    assert_eq!(cookie, format!("{}=value", auth.cookie_name));
    assert_eq!(attributes, "Path=/a/; Max-Age=2592000; HttpOnly; SameSite=Strict");
    assert!(auth.set_cookie("value", &"/".parse().unwrap(), true).ends_with("; Secure"));
    assert!(auth.clear_cookie(&"/".parse().unwrap(), false).contains("=; Path=/; Max-Age=0;"));
}

#[test]
fn no_secret_is_shown() {
    let auth = auth();
    let (cookies, key) = browser(&auth, TOKEN);
    let shown = format!("{auth:?}");
    let cookie = cookies.split_once('=').unwrap().1;
    assert!(!shown.contains(TOKEN) && !shown.contains(cookie) && !shown.contains(&key), "{shown}");
    let pass = Pass { session: "s".parse().unwrap(), role: Role::Reader };
    assert!(!shown.contains(auth.snapshot().share_key.encode_pass(&pass).as_str()));
}

#[tokio::test]
async fn what_changes_is_saved() {
    let auth = auth();
    assert!(auth.wait_until_saved().await, "nobody saves, so nothing is waited for");
    let (is_full, saves) = (AtomicBool::new(false), AtomicUsize::new(0));
    let keeping = auth.save_with_keeper(async |_| true);
    let writing = auth.save_on_disk(async |_| {
        saves.fetch_add(1, Ordering::Relaxed);
        !is_full.load(Ordering::Relaxed)
    });
    let using = async {
        tokio::task::yield_now().await;
        assert_eq!(saves.load(Ordering::Relaxed), 1, "the key of share links is saved at once");
        browser(&auth, TOKEN);
        assert!(auth.wait_until_saved_with_keeper().await && auth.wait_until_saved().await);
        is_full.store(true, Ordering::Relaxed);
        browser(&auth, TOKEN);
        assert!(auth.wait_until_saved_with_keeper().await && !auth.wait_until_saved().await);
    };
    tokio::select! {
        biased;
        () = keeping => panic!("it never ends"),
        () = writing => panic!("it never ends"),
        () = using => {}
    }
}
