//! Tests of the limits and the lifetime of sign-ins.

use limpet_shared::Role;

use super::{
    entry::{MAX_PASSES, ViewerGuard},
    *,
};
use crate::auth::access::Pass;

fn pass(session: &str, role: Role) -> Credential {
    Credential::Pass(Pass { session: session.parse().unwrap(), role })
}

fn guest(sign_ins: &mut SignIns, session: &str, now: u64) -> Result<SignedIn, TooManySignIns> {
    sign_ins.sign_in(pass(session, Role::Reader), None, (String::new(), ""), now)
}

fn owner(sign_ins: &mut SignIns, now: u64) -> SignedIn {
    sign_ins.sign_in(Credential::Token, None, ("192.0.2.1".into(), "a\x07\"b"), now).unwrap()
}

fn authenticate(
    sign_ins: &mut SignIns,
    secrets: &SignInSecrets,
    now: u64,
) -> Option<(Access, SignInRef, bool)> {
    sign_ins.authenticate(&Digest::of(secrets.cookie.reveal()), secrets.key.reveal(), now)
}

fn ids(sign_ins: &mut SignIns) -> Vec<String> {
    sign_ins.list(None, 0).into_iter().map(|sign_in| sign_in.id).collect()
}

#[test]
fn both_halves_are_needed() {
    let mut sign_ins = SignIns::default();
    let one = owner(&mut sign_ins, 0).new_secrets.unwrap();
    let other = owner(&mut sign_ins, 0).new_secrets.unwrap();
    assert_eq!(authenticate(&mut sign_ins, &one, 1).unwrap().0, Access::Owner);
    let cookie = Digest::of(one.cookie.reveal());
    for key in ["", one.cookie.reveal(), other.key.reveal()] {
        assert!(sign_ins.authenticate(&cookie, key, 1).is_none());
    }
    assert!(sign_ins.known_cookie(one.cookie.reveal(), 1).is_some());
    assert!(sign_ins.known_cookie(one.key.reveal(), 1).is_none());
}

#[test]
fn what_is_kept_gives_no_secret_away_and_is_enough() {
    let mut sign_ins = SignIns::default();
    let secrets = owner(&mut sign_ins, 0).new_secrets.unwrap();
    let kept = serde_json::to_string(&sign_ins.records_to_save(0)).unwrap();
    for text in [kept.clone(), format!("{sign_ins:?} {secrets:?}")] {
        assert!(!text.contains(secrets.cookie.reveal()) && !text.contains(secrets.key.reveal()), "{text}");
    }
    let mut restored = SignIns::restore(serde_json::from_str(&kept).unwrap());
    assert!(authenticate(&mut restored, &secrets, 1).is_some());
    assert_eq!(restored.list(None, 1)[0].agent, "ab");
}

#[test]
fn who_does_not_come_for_long_must_sign_in_again() {
    let mut sign_ins = SignIns::default();
    let secrets = owner(&mut sign_ins, 0).new_secrets.unwrap();
    let late = millis(UNUSED_LIFETIME);
    let (_, seen, is_stale) = authenticate(&mut sign_ins, &secrets, late - 1).unwrap();
    assert!(is_stale, "the time of its use is to be saved");
    sign_ins.records_to_save(late);
    assert!(!authenticate(&mut sign_ins, &secrets, late).unwrap().2, "and not with every request");
    let viewer = seen.add_viewer();
    assert!(authenticate(&mut sign_ins, &secrets, late * 3).is_some(), "who is attached has not gone");
    drop(viewer);
    assert!(authenticate(&mut sign_ins, &secrets, late * 6).is_none());
    assert!(seen.revoked.is_cancelled());
}

#[test]
fn a_browser_has_one_sign_in_for_all_its_links() {
    let mut sign_ins = SignIns::default();
    let first = guest(&mut sign_ins, "a", 0).unwrap();
    let secrets = first.new_secrets.unwrap();
    let mut again =
        |credential| sign_ins.sign_in(credential, Some(&first.id), (String::new(), ""), 1).unwrap();
    assert!(!again(pass("a", Role::Reader)).is_changed);
    assert!(again(pass("b", Role::Writer)).new_secrets.is_none());
    let access = again(pass("a", Role::Writer)).access;
    let role = |session: &str| access.role_at(&session.parse().unwrap());
    assert_eq!((role("a"), role("b"), role("c")), (Some(Role::Writer), Some(Role::Writer), None));
    for number in 0..20 {
        again(pass(&number.to_string(), Role::Reader));
    }
    let Access::Passes(passes) = again(pass("last", Role::Reader)).access else { panic!("it is a guest") };
    assert_eq!(passes.len(), MAX_PASSES);

    let owner = again(Credential::Token);
    assert_eq!((owner.id.as_str(), owner.access), (first.id.as_str(), Access::Owner));
    assert!(authenticate(&mut sign_ins, &secrets, 1).is_none(), "a guest's secrets do not become an owner's");
    assert!(authenticate(&mut sign_ins, &owner.new_secrets.unwrap(), 1).is_some());
}

#[test]
fn a_link_displaces_only_sign_ins_of_its_own() {
    let mut sign_ins = SignIns::default();
    let (owner, other) = (owner(&mut sign_ins, 0).id, guest(&mut sign_ins, "other", 0).unwrap().id);
    let first = guest(&mut sign_ins, "a", 1).unwrap();
    for now in 2..1000 {
        guest(&mut sign_ins, "a", now).unwrap();
    }
    let left = ids(&mut sign_ins);
    assert_eq!(left.len(), MAX_SIGN_INS_PER_LINK + 2);
    assert!(left.contains(&owner) && left.contains(&other) && !left.contains(&first.id));
}

#[test]
fn guests_who_are_there_are_not_displaced() {
    let mut sign_ins = SignIns::default();
    let viewers: Vec<ViewerGuard> = (0..MAX_SIGN_INS_PER_LINK)
        .map(|_| {
            let secrets = guest(&mut sign_ins, "a", 0).unwrap().new_secrets.unwrap();
            authenticate(&mut sign_ins, &secrets, 0).unwrap().1.add_viewer()
        })
        .collect();
    assert!(guest(&mut sign_ins, "a", 1).is_err());
    assert!(guest(&mut sign_ins, "b", 1).is_ok());
    drop(viewers);
    assert!(guest(&mut sign_ins, "a", 1).unwrap().displaced.is_some());
}

#[test]
fn all_of_them_fit_into_a_packet_to_the_keeper() {
    // The size of a packet that the kernel accepts from ordinary users (`net.core.wmem_max`), with
    // its usual value.
    const PACKET: usize = 212_992;
    let mut sign_ins = SignIns::default();
    let (from, agent) =
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".to_owned(), "\"\\é".repeat(500) + &"x".repeat(500));
    for number in 0..u64::try_from(MAX_GUEST_SIGN_INS + MAX_OWNER_SIGN_INS).unwrap() {
        let now = 1_790_000_000_000 + number;
        let _ = sign_ins.sign_in(Credential::Token, None, (from.clone(), &agent), now);
        let link = |session: u64| pass(&format!("{session:016x}"), Role::Writer);
        let guest = sign_ins.sign_in(link(number % 20), None, (from.clone(), &agent), now).unwrap();
        for more in 1..20 {
            sign_ins.sign_in(link(number + more), Some(&guest.id), (String::new(), ""), now).unwrap();
        }
    }
    assert_eq!(sign_ins.0.len(), MAX_GUEST_SIGN_INS + MAX_OWNER_SIGN_INS);
    let record = serde_json::to_string(&sign_ins.records_to_save(0)).unwrap();
    // The record is sent as a string within JSON.
    let sent = serde_json::to_string(&record).unwrap().len();
    assert!(sent < PACKET - 4096, "{sent}");
}

#[test]
fn there_is_a_bound_and_the_newest_owner_stays() {
    let mut sign_ins = SignIns::default();
    for session in 0..10_u64 {
        for now in 0..100 {
            guest(&mut sign_ins, &session.to_string(), session * 100 + now).unwrap();
            owner(&mut sign_ins, session * 100 + now);
        }
    }
    let newest = owner(&mut sign_ins, 10_000).id;
    let list = sign_ins.list(Some(&newest), 10_000);
    assert_eq!(list.len(), MAX_OWNER_SIGN_INS + MAX_GUEST_SIGN_INS);
    assert!(list[0].you && list[0].owner && list[0].id == newest);
}
