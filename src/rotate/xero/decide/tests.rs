//! Which pair stands at the end, by what is known.

use super::super::heard;
use super::super::story::{Ask, Round};
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_356_000 + second).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

/// An access token that was given then.
fn access(second: i64) -> Secret {
    let (issued, ends) = (at(second).as_second(), at(second + 1800).as_second());
    let claims = format!(r#"{{"nbf":{issued},"exp":{ends},"xero_userid":"u","jti":"{second}"}}"#);
    secret(&format!("x.{}.y", URL_SAFE_NO_PAD.encode(claims)))
}

fn pair(refresh: &str, second: i64) -> Pair {
    Pair { ends: Some(at(second + 1800)), ..Pair::seen(&secret(refresh), Some(&access(second))) }
}

fn held(refresh: &str, second: i64) -> Held {
    let expires = Some(secret(&at(second + 1800).as_second().to_string()));
    let (refresh, access) = (Some(secret(refresh)), Some(access(second)));
    Held { refresh, access, expires, ..Held::default() }
}

fn facts(refresh: &str, second: i64) -> Facts {
    Facts {
        now: at(100),
        enough: None,
        pace: None,
        hurries: false,
        calls: 0,
        asked: true,
        intended: None,
        left: false,
        lacks: None,
        home: [("1".parse().unwrap(), held(refresh, second))].into(),
        story: Story::default(),
        begun: Vec::new(),
        answered: Vec::new(),
        open: None,
        open_is_ours: false,
        covered: None,
        others: Vec::new(),
    }
}

/// After a call with the token `old`, which ended so.
fn asked(home: (&str, i64), token: RefreshToken, answered: bool) -> Facts {
    let ask = Ask { number: 1, at: at(0), token, again: Again::Yes, told: "said".to_owned(), answered };
    let before = Before { refresh: Some(secret("old")), access: Some(access(-500)), ..Before::default() };
    let begun = Begun {
        token: secret("old"),
        first: at(0),
        doubt: false,
        held: [("1".parse().unwrap(), before)].into(),
        told: None,
    };
    let story = Story { rounds: vec![Round { asks: vec![ask] }], asked: 1, ..Story::default() };
    Facts { story, begun: vec![begun], ..facts(home.0, home.1) }
}

fn answered(home: (&str, i64)) -> Facts {
    Facts { answered: vec![(1, pair("ours", 50))], ..asked(home, RefreshToken::MayBeSpent, true) }
}

/// Leaves aside what another host has told, where it is over.
fn hear(facts: &mut Facts) {
    let told: Vec<_> = facts.answered.iter().map(|(_, pair)| (String::new(), pair.clone())).collect();
    if facts.open.as_ref().is_some_and(|open| !heard::counts(open, &told, &facts.home, facts.now)) {
        facts.open = None;
        facts.answered.clear();
    }
}

fn sends(next: &Move) -> Option<&str> {
    match next {
        Move::Begin(begun) => Some(begun.token.expose()),
        _ => None,
    }
}

#[test]
fn ours_is_stored_and_tried() {
    assert!(
        matches!(answered(("old", -500)).next(), Move::Store { pair, .. } if pair.refresh.expose() == "ours")
    );
    // Whatever is stored of it already, the rest follows.
    assert!(matches!(answered(("ours", -500)).next(), Move::Store { .. }));
    assert!(matches!(answered(("ours", 50)).next(), Move::Try(_)));
}

#[test]
fn of_two_pairs_the_later_one_stands_and_where_nobody_knows_xero_is_asked() {
    assert!(matches!(answered(("theirs", 60)).next(), Move::Done));
    assert!(
        matches!(answered(("theirs", 40)).next(), Move::Store { pair, .. } if pair.refresh.expose() == "ours")
    );
    // In one second.
    assert_eq!(sends(&answered(("theirs", 50)).next()), Some("theirs"));
    // Stored in parts: first it is waited for the others.
    let torn = |now| Facts { now: at(now), ..answered(("theirs", -500)) };
    assert!(matches!(torn(5).next(), Move::Wait(_)));
    assert_eq!(sends(&torn(11).next()), Some("theirs"));
}

#[test]
fn a_lost_answer_may_have_come_after_the_pair_that_somebody_else_stored() {
    let lost = asked(("theirs", 60), RefreshToken::MayBeSpent, false);
    assert_eq!(sends(&lost.next()), Some("theirs"));
    let refused = asked(("theirs", 60), RefreshToken::Refused, false);
    assert!(matches!(refused.next(), Move::Done), "nothing was given to us");
}

#[test]
fn theirs_that_our_write_has_covered_is_brought_back_where_it_is_later() {
    let covered = |second| Facts {
        covered: Some(("1".parse().unwrap(), pair("theirs", second))),
        ..answered(("ours", 50))
    };
    assert!(matches!(covered(60).next(), Move::Store { pair, .. } if pair.refresh.expose() == "theirs"));
    assert!(matches!(covered(40).next(), Move::Try(_)));
    assert_eq!(sends(&covered(50).next()), Some("theirs"));
}

#[test]
fn a_refused_token_is_the_end_only_if_nothing_else_can_be_sent() {
    let refused =
        |others: Vec<Secret>| Facts { others, ..asked(("old", -500), RefreshToken::Refused, false) };
    assert_eq!(sends(&refused(vec![secret("before")]).next()), Some("before"));
    assert!(matches!(refused(vec![secret("old")]).next(), Move::Person(Person::Refused)));
    let mut second = refused(Vec::new());
    second.home.insert("2".parse().unwrap(), held("other", -900));
    let before = Before { refresh: Some(secret("other")), ..Before::default() };
    second.begun[0].held.insert("2".parse().unwrap(), before);
    assert_eq!(sends(&second.next()), Some("other"), "what another instance of the login holds");
}

#[test]
fn what_another_host_was_answered_is_stored_without_a_call() {
    let open = |from: &str| Open {
        operation: "another".to_owned(),
        by: "bob@desk".to_owned(),
        from: digest(&secret(from)),
        first: at(0),
        spelled: BTreeMap::new(),
        accesses: BTreeMap::new(),
        answer: None,
        earlier: None,
    };
    let told = |home: (&str, i64)| {
        let answered = vec![(0, pair("ours", 50))];
        let mut facts = Facts { open: Some(open("old")), answered, ..facts(home.0, home.1) };
        hear(&mut facts);
        facts.next()
    };
    assert!(matches!(told(("old", -500)), Move::Store { pair, .. } if pair.refresh.expose() == "ours"));
    // Somebody has refreshed since, and later: that is the token to begin with.
    assert_eq!(sends(&told(("later", 90))), Some("later"));
    // Only an intent: the token may be spent since then, and the half hour began then.
    let intent = Facts { open: Some(open("old")), ..facts("old", -500) };
    assert!(matches!(intent.next(), Move::Begin(begun) if begun.doubt && begun.first == at(0)));
}

/// The app has begun to store a pair when another host's answer is found: its refresh token stands beside the access token
/// from before, which says nothing of when it was given.
#[test]
fn a_pair_that_is_half_stored_is_not_older_than_what_another_host_was_answered() {
    let open = Open {
        operation: "another".to_owned(),
        by: "bob@desk".to_owned(),
        from: digest(&secret("old")),
        first: at(0),
        spelled: BTreeMap::new(),
        accesses: [("1".to_owned(), digest(&access(-500)))].into(),
        answer: Some(secret("sealed")),
        earlier: None,
    };
    let mut torn = Facts { open: Some(open), answered: vec![(0, pair("ours", 50))], ..facts("theirs", -500) };
    hear(&mut torn);
    let Move::Begin(begun) = torn.next() else { panic!("{:?}", torn.next()) };
    assert_eq!(begun.token.expose(), "theirs");
    let told = begun.told.clone().unwrap();
    assert_eq!((told.answer.expose(), told.from.as_str()), ("sealed", &*digest(&secret("old"))));
    // It counts again where Xero refuses theirs, and not before.
    let ask =
        |token| Ask { number: 1, at: at(99), token, again: Again::Yes, told: String::new(), answered: false };
    let round =
        |token| Story { rounds: vec![Round { asks: vec![ask(token)] }], asked: 1, ..Story::default() };
    torn.begun = vec![begun];
    torn.open = None;
    torn.story = round(RefreshToken::Refused);
    assert!(matches!(torn.next(), Move::Store { pair, .. } if pair.refresh.expose() == "ours"));
    torn.story = round(RefreshToken::MayBeSpent);
    assert!(matches!(torn.next(), Move::Wait(_)));
}

#[test]
fn without_an_app_nothing_is_begun() {
    let lacks = Key::parse("client_id").unwrap();
    let facts = |refresh| Facts { lacks: Some(lacks.clone()), ..facts(refresh, -500) };
    assert!(matches!(facts("old").next(), Move::NoApp(key) if key == lacks));
    let mut begun = asked(("old", -500), RefreshToken::Unspent, false);
    begun.lacks = Some(lacks.clone());
    assert!(!matches!(begun.next(), Move::NoApp(_)));
}

#[test]
fn an_instance_that_got_another_login_is_no_reason_to_send_somebody() {
    let left = Facts { home: BTreeMap::new(), left: true, ..answered(("ours", 50)) };
    assert!(matches!(left.next(), Move::Done));
}

#[test]
fn each_process_asks_once_after_the_deadline_and_then_says_that_nobody_answers() {
    let mut late = asked(("old", -500), RefreshToken::MayBeSpent, false);
    late.now = at(2 * 3600);
    late.story.rounds[0].asks[0].at = at(3600);
    assert!(matches!(late.next(), Move::Silent));
    let resumed = Facts { asked: false, ..late };
    assert!(matches!(resumed.next(), Move::Ask(token) if token.expose() == "old"));
}

#[test]
fn a_login_that_xero_is_silent_about_is_put_off_where_others_wait() {
    let mut silent = asked(("old", -500), RefreshToken::MayBeSpent, false);
    (silent.now, silent.hurries) = (at(1), true);
    assert!(matches!(silent.next(), Move::Wait(until) if until == at(2)), "once it is asked again at once");
    silent.story.rounds[0].asks[0].again = Again::After(std::time::Duration::from_secs(60));
    assert!(matches!(silent.next(), Move::PutOff(until) if until == at(60)));
    silent.now = at(60);
    assert!(matches!(silent.next(), Move::Ask(_)), "its time has come");
    let second = silent.story.rounds[0].asks[0].clone();
    silent.story.rounds[0].asks.push(Ask { number: 2, at: at(60), again: Again::Yes, ..second });
    silent.now = at(61);
    assert!(matches!(silent.next(), Move::PutOff(until) if until == at(65)));
    // However long the call took: its next turn begins with a call, and does not end with one.
    silent.now = at(66);
    silent.calls = 2;
    assert!(matches!(silent.next(), Move::PutOff(until) if until == at(66)));
    silent.calls = 0;
    assert!(matches!(silent.next(), Move::Ask(_)));
    (silent.now, silent.hurries) = (at(61), false);
    assert!(matches!(silent.next(), Move::Wait(_)));
}

#[test]
fn nothing_is_given_up_while_an_answer_waits_or_a_token_may_be_spent() {
    let ask = |number, token, again| Ask {
        number,
        at: at(0),
        token,
        again,
        told: "said".to_owned(),
        answered: false,
    };
    let second = |asks: Vec<Ask>| {
        let mut facts = answered(("old", -500));
        facts.begun.push(Begun { token: secret("theirs"), ..facts.begun[0].clone() });
        facts.home.insert("1".parse().unwrap(), held("theirs", 50));
        facts.story.rounds.push(Round { asks });
        Facts { now: at(600), ..facts }
    };
    let unreached = (2..6).map(|number| ask(number, RefreshToken::Unspent, Again::Yes)).collect();
    assert!(matches!(second(unreached).next(), Move::Ask(token) if token.expose() == "theirs"));
    let unspent = second(vec![ask(2, RefreshToken::Unspent, Again::No)]);
    assert!(matches!(unspent.next(), Move::Person(Person::Elsewhere(_))));
    // The intent of a later round is refused: the operation is not ended.
    let mut unkept = second(Vec::new());
    unkept.story.unkept = Some("denied: no".to_owned());
    assert!(!matches!(unkept.next(), Move::Unkept));
}

#[test]
fn an_intent_of_a_host_whose_clock_is_ahead_is_nothing_to_wait_for() {
    let open = Open {
        operation: "another".to_owned(),
        by: "bob@desk".to_owned(),
        from: digest(&secret("old")),
        first: at(900),
        spelled: BTreeMap::new(),
        accesses: BTreeMap::new(),
        answer: None,
        earlier: None,
    };
    let ahead = Facts { open: Some(open), ..facts("old", -500) };
    assert!(matches!(ahead.next(), Move::Wait(until) if until <= at(102)));
    assert!(matches!(ahead.begin(), Move::Begin(begun) if begun.doubt && begun.first == at(100)));
}

#[test]
fn nothing_is_whole_where_no_instance_has_a_token() {
    let gone = Facts { home: BTreeMap::new(), ..answered(("ours", 50)) };
    assert!(!gone.holds(&gone.answered[0].1) && !gone.is_whole(&gone.answered[0].1));
    assert!(matches!(gone.next(), Move::Person(Person::Refused)), "it is not put back");
}

proptest! {
    /// Nothing is sent before this operation has told home so.
    #[test]
    fn no_call_is_made_without_an_intent_of_ours(
        now in -2_000_i64..4_000, home in prop::sample::select(vec!["old", "ours", "theirs"]),
        second in -2_000_i64..2_000, foreign: bool, told: bool, enough: bool,
    ) {
        let open = foreign.then(|| Open {
            operation: "another".to_owned(), by: String::new(), from: digest(&secret("old")),
            first: at(0), spelled: BTreeMap::new(), accesses: BTreeMap::new(), answer: None, earlier: None,
        });
        let answered = if told && foreign { vec![(0, pair("ours", 50))] } else { Vec::new() };
        let enough = enough.then(|| SignedDuration::from_mins(10));
        let mut facts = Facts { now: at(now), open, answered, enough, ..facts(home, second) };
        hear(&mut facts);
        let next = facts.next();
        prop_assert!(!matches!(next, Move::Ask(_) | Move::Person(_)), "{:?}", next);
    }
}

#[test]
fn a_record_that_was_left_open_is_over_once_what_home_holds_of_its_answer_has_ended() {
    let open = Open {
        operation: "another".to_owned(),
        by: "bob@desk".to_owned(),
        from: digest(&secret("old")),
        first: at(0),
        spelled: BTreeMap::new(),
        accesses: BTreeMap::new(),
        answer: None,
        earlier: None,
    };
    let next_at = |now| {
        let mut facts = Facts {
            now: at(now),
            open: Some(open.clone()),
            answered: vec![(0, pair("theirs", 50))],
            ..facts("theirs", 50)
        };
        hear(&mut facts);
        facts.next()
    };
    assert!(matches!(next_at(100), Move::Try(_)), "it is as good as new");
    assert_eq!(sends(&next_at(1851)), Some("theirs"));
}

#[test]
fn whoever_dies_while_home_is_told_of_an_intent_knows_of_anothers_call_afterwards() {
    let begin = |doubt| {
        let begun = Begun { token: secret("old"), first: at(3), doubt, held: BTreeMap::new(), told: None };
        let next = Facts { intended: Some(begun), ..facts("old", 0) }.next();
        let Move::Begin(begun) = next else { panic!("{next:?}") };
        (begun.doubt, begun.first)
    };
    assert_eq!(begin(true), (true, at(3)));
    assert_eq!(begin(false), (false, at(3)));
    let another =
        Begun { token: secret("another"), first: at(3), doubt: true, held: BTreeMap::new(), told: None };
    let next = Facts { intended: Some(another), ..facts("old", 0) }.next();
    assert!(matches!(next, Move::Begin(begun) if !begun.doubt && begun.first == at(100)));
}
