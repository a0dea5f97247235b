use super::*;

/// Parses like the browser, for plain ASCII.
fn parse(text: &str) -> Option<Address> {
    let href = text.to_owned();
    if let Some(mailbox) = text.strip_prefix("mailto:") {
        let host = mailbox.rsplit('@').next()?.to_owned();
        return Some(Address { href, host, mailbox: Some(mailbox.to_owned()), ..Address::default() });
    }
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host = host.split(':').next()?.to_lowercase();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (!host.is_empty() && host.bytes().all(legal)).then(|| Address {
        href,
        host: host.clone(),
        user: user.to_owned(),
        mailbox: None,
    })
}

fn asks(uri: &str, shown: &str) -> Option<LinkWarning> {
    find_warning(&parse(uri).expect("an address"), shown, parse)
}

fn another(name: &str) -> LinkWarning {
    LinkWarning::NamesAnother(name.to_owned())
}

#[test]
fn a_text_that_names_another_host_is_asked_about() {
    for shown in [
        "https://bank.example",
        "bank.example",
        "BANK.example/login",
        "see (bank.example) for more",
        "\"bank.example\",",
        "www.bank.example:443",
        "ftp://bank.example",
        "bank\u{200b}.example",
        "bank\u{ff0e}example",
        "ｂａｎｋ.example",
        "https:\u{2044}\u{2044}bank.example",
        "click bank.example",
    ] {
        let warning = asks("https://evil.example/bank.example", shown);
        assert!(
            matches!(&warning, Some(LinkWarning::NamesAnother(host)) if host.ends_with("bank.example")),
            "{shown}: {warning:?}"
        );
    }
    assert_eq!(asks("https://bank.example.evil.test", "bank.example"), Some(another("bank.example")));
    assert_eq!(asks("https://evil.test", "192.0.2.1"), Some(another("192.0.2.1")));
    assert_eq!(asks("https://evil.test", "localhost"), Some(another("localhost")));
    assert_eq!(asks("mailto:thief@evil.test", "bank.example"), Some(another("bank.example")));
}

#[test]
fn a_text_that_names_the_same_host_or_none_is_not() {
    for (uri, shown) in [
        ("https://bank.example/a?b#c", "https://bank.example"),
        ("http://bank.example:8080/", "bank.example"),
        ("https://www.bank.example", "bank.example."),
        ("https://bank.example", "www.bank.example/login"),
        ("https://bank.example", "Bank.Example"),
        ("https://bank.example", "click here"),
        ("https://forge.example/a/b/issues/7", "a/b#7"),
        ("https://forge.example", "v1.2.3"),
        ("https://forge.example", "1.2.3"),
        ("https://forge.example", "src/main.rs:10:5"),
        ("https://forge.example", "3.5 GB..."),
        ("https://forge.example", ""),
        ("https://forge.example/@me", "forge.example/@me"),
        ("mailto:Me@bank.example", "me@bank.example"),
        ("mailto:me@bank.example", "bank.example"),
        ("mailto:me@bank.example", "Write to me"),
    ] {
        assert_eq!(asks(uri, shown), None, "{uri} as {shown}");
    }
}

#[test]
fn another_mailbox_of_the_same_domain_is_asked_about() {
    assert_eq!(asks("mailto:thief@mail.example", "help@mail.example"), Some(another("help@mail.example")));
    assert_eq!(asks("https://evil.test", "help@mail.example"), Some(another("help@mail.example")));
}

#[test]
fn a_user_name_before_the_host_is_asked_about_even_when_it_is_shown() {
    let uri = "https://bank.example@evil.test/";
    assert_eq!(asks(uri, uri), Some(LinkWarning::HasUser("bank.example".to_owned())));
}

#[test]
fn a_host_with_letters_outside_of_ascii_is_asked_about() {
    assert_eq!(asks("https://xn--pple-43d.example/", "click"), Some(LinkWarning::LooksAlike));
    assert_eq!(
        asks("https://www.xn--pple-43d.example/", "xn--pple-43d.example"),
        Some(LinkWarning::LooksAlike)
    );
}
