//! Every way in which a refresh can go wrong: what our client says became of the old token is true, and the old token
//! still leads to a pair that is good.

use super::{Local, Ours, local, secret};
use crate::support::xero::{Effect, Siblings, Standing, When};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strongroom::web::Patience;
use strongroom::xero::{Again, RefreshToken, XeroError};

/// Whether the client may take the answer for a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Pair,
    Failure,
}

fn faults() -> Vec<(String, Effect, Answer)> {
    use Answer::{Failure, Pair};
    let mut list: Vec<(String, Effect, Answer)> = Vec::new();
    for when in [When::Before, When::After] {
        let mut add = |name: &str, effect| list.push((format!("{name} {when:?}"), effect, Failure));
        add("drop", Effect::Drop(when));
        add("reset", Effect::Reset(when));
        add("hang", Effect::Hang(when));
        for status in [500, 502, 503, 404] {
            add(&status.to_string(), Effect::Page(when, status));
        }
        for retry in [Some("1"), Some("120"), Some("Sun, 22 Nov 2026 14:00:00 GMT"), Some("soon"), None] {
            add(&format!("429 {retry:?}"), Effect::TooMany(when, retry, "minute"));
        }
    }
    let mut add = |name: &str, effect, answer| list.push((name.to_owned(), effect, answer));
    add("slow", Effect::Slow(Duration::from_millis(50)), Pair);
    add("cut", Effect::Cut, Failure);
    add("short", Effect::Short, Failure);
    add("packed", Effect::Packed, Failure);
    add("elsewhere", Effect::Redirect("https://identity.example/connect/token".to_owned()), Failure);
    for body in ["", "{}", "null", "[]", "<html></html>", r#"{"error":"invalid_grant"}"#] {
        add(&format!("body {body}"), Effect::Body(body), Failure);
    }
    for name in ["refresh_token", "access_token"] {
        add(&format!("without {name}"), Effect::Without(name), Failure);
        add(&format!("null {name}"), Effect::Odd(name, "null"), Failure);
        add(&format!("number {name}"), Effect::Odd(name, "1"), Failure);
        add(&format!("twice {name}"), Effect::Twice(name, "\"another\""), Failure);
    }
    for odd in ["\"1800\"", "1800000", "-1", "null", "\"soon\"", "[1800]"] {
        add(&format!("expires_in {odd}"), Effect::Odd("expires_in", odd), Pair);
    }
    add("without expires_in", Effect::Without("expires_in"), Pair);
    add("called HTML", Effect::Content("text/html"), Pair);
    list.extend(
        ["invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "something_new"]
            .map(|code| (code.to_owned(), Effect::Error(400, code), Failure)),
    );
    list
}

#[tokio::test]
async fn what_is_said_of_the_old_token_is_true_and_it_still_leads_to_a_good_pair() {
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        for (name, effect, expected) in faults() {
            let local = Local::start();
            local.world(|world| world.behaviour.siblings = siblings);
            let (_, first) = local.login("demo", &["Acme"]);
            local.fault(local::TOKEN, 1..=1, effect);
            let mut ours = Ours::of(&local);
            let hangs = name.starts_with("hang");
            if hangs {
                ours.patience.total = Duration::from_millis(500);
            }
            let outcome = ours.refresh(&first).await;
            // On a busy machine the wait may be over before the question has arrived.
            let calls = local.count(local::TOKEN);
            assert!(calls == 1 || (hangs && calls == 0), "{name}: it is asked once, not {calls} times");
            let token = match (outcome, expected) {
                (Ok(tokens), Answer::Pair) => tokens.refresh_token,
                (Err(error), Answer::Failure) => {
                    let told = format!("{error} {error:?} {}", error.advice());
                    assert!(!told.contains(&first) && !told.contains(local::CLIENT_SECRET), "{told}");
                    if error.refresh_token() != RefreshToken::MayBeSpent {
                        assert_eq!(local.standing(&first), Standing::Live, "{name}: {error:?}");
                    }
                    local.heal();
                    ours.patience = Ours::of(&local).patience;
                    ours.refresh(&first)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error:?}"))
                        .refresh_token
                }
                (outcome, _) => panic!("{name}: {outcome:?}"),
            };
            assert_eq!(local.standing(token.expose()), Standing::Live, "{name}");
            assert_eq!(local.newest("demo").unwrap(), token.expose(), "{name}");
        }
    }
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_or_somebody_without_a_certificate_listens() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    let in_clear = Ours::of(&local).token_url;
    let others = [
        in_clear.replace("http://", "https://"),
        "http://127.0.0.1:1/connect/token".to_owned(),
        "https://strongroom.invalid/connect/token".to_owned(),
    ];
    for token_url in others {
        let ours = Ours { token_url, ..Ours::of(&local) };
        let error = ours.refresh(&first).await.unwrap_err();
        assert_eq!((error.refresh_token(), error.again()), (RefreshToken::Unspent, Again::Yes), "{error:?}");
    }
    assert_eq!((local.count(local::TOKEN), local.standing(&first)), (0, Standing::Live));
}

#[tokio::test]
async fn nobody_is_followed_elsewhere_with_a_token() {
    let (local, elsewhere) = (Local::start(), Local::start());
    let (access, first) = local.login("demo", &["Acme"]);
    local.fault(local::TOKEN, .., Effect::Redirect(elsewhere.url(local::TOKEN)));
    local.fault(local::CONNECTIONS, .., Effect::Redirect(elsewhere.url(local::CONNECTIONS)));
    let ours = Ours::of(&local);
    assert!(matches!(ours.refresh(&first).await, Err(XeroError::Broken { status: 302, .. })));
    let listed = ours.xero().connections(&secret(&access)).await;
    assert!(matches!(listed, Err(XeroError::Broken { status: 302, .. })));
    assert_eq!(elsewhere.calls().len(), 0);
}

#[tokio::test]
async fn after_the_grace_a_token_whose_answer_was_lost_is_refused() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    local.fault(local::TOKEN, 1..=1, Effect::Drop(When::After));
    let ours = Ours::of(&local);
    assert_eq!(ours.refresh(&first).await.unwrap_err().refresh_token(), RefreshToken::MayBeSpent);
    local.advance(jiff::SignedDuration::from_mins(29));
    assert!(ours.refresh(&first).await.is_ok());
    local.advance(jiff::SignedDuration::from_mins(2));
    assert_eq!(ours.refresh(&first).await.unwrap_err().refresh_token(), RefreshToken::Refused);
}

#[tokio::test]
async fn of_two_who_refresh_one_token_the_last_pair_is_good_in_both_ways_that_xero_may_be() {
    for siblings in [Siblings::Valid, Siblings::LastOnly] {
        let local = Local::start();
        local.world(|world| world.behaviour.siblings = siblings);
        let (_, first) = local.login("demo", &["Acme"]);
        let theirs = Arc::new(Mutex::new(String::new()));
        let other = {
            let (local, first, theirs) = (local.clone(), first.clone(), Arc::clone(&theirs));
            move || {
                local.heal();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let tokens = runtime.block_on(Ours::of(&local).refresh(&first)).unwrap();
                *theirs.lock().unwrap() = tokens.refresh_token.expose().to_owned();
            }
        };
        local.fault(local::TOKEN, 1..=1, Effect::Meanwhile(Arc::new(other)));
        let last = Ours::of(&local).refresh(&first).await.unwrap().refresh_token;
        assert_eq!(local.standing(last.expose()), Standing::Live);
        let other = local.standing(&theirs.lock().unwrap());
        assert_eq!(other, if siblings == Siblings::Valid { Standing::Live } else { Standing::Dead });
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let local = Local::start();
    let (_, first) = local.login("demo", &["Acme"]);
    let endless: &'static str = Box::leak("x".repeat(2 << 20).into_boxed_str());
    local.fault(local::TOKEN, 1..=1, Effect::Body(endless));
    let error = Ours::of(&local).refresh(&first).await.unwrap_err();
    assert!(matches!(error, XeroError::Unanswered(_)), "{error:?}");
    let ours = Ours { patience: Patience::default(), ..Ours::of(&local) };
    assert!(ours.refresh(&first).await.is_ok());
}
