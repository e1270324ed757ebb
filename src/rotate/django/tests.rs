//! Which step follows from what is deployed, and that no moment of any roll has a key that signs and is not accepted.

use super::*;
use crate::snapshot::Entry;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn key() -> Address {
    "app/SECRET_KEY".parse().unwrap()
}

fn fallbacks() -> Address {
    "app/SECRET_KEY_FALLBACKS".parse().unwrap()
}

fn rotation(way: Way, keeps: bool) -> DjangoSecretKey {
    let generator = Generator::sized(50, crate::manifest::generate::Alphabet::UrlSafe).unwrap();
    let generate = |_: &Generator| secret("new");
    let (fallbacks, decided_on) = (Some(fallbacks()), None);
    DjangoSecretKey { key: key(), fallbacks, generator, generate, way, keeps, decided_on }
}

fn pair(key: &str, fallbacks: &[&str]) -> Pair {
    Pair { key: secret(key), fallbacks: fallbacks.iter().map(|text| secret(text)).collect() }
}

/// A pair as it is written: `new <- old,older`.
fn told(pair: &Pair) -> String {
    format!("{} <- {}", pair.key.expose(), listed(&pair.fallbacks).expose())
}

/// What home holds after each publish, from a pair on to the end; each stage of home on its own.
fn walked(way: Way, keeps: bool, from: &Pair) -> Vec<String> {
    let rotation = rotation(way, keeps);
    let mut facts =
        Facts { way: None, home: Some(from.clone()), chosen: None, staged: false, finished: false };
    let mut seen = vec![told(from)];
    for _ in 0..9 {
        match rotation.next(&facts) {
            Step::Choose => {
                let chosen = rotation.choose(&facts);
                facts.way = Way::ALL.into_iter().find(|way| way.to_string() == chosen.facts[WAY]);
                facts.chosen = rotation.chosen(&chosen.values);
            }
            Step::Publish(publication) => {
                let mut home = facts.home.clone().unwrap();
                for stage in &publication.stages {
                    for (address, want) in stage {
                        let value = match want {
                            Want::Present(wanted) => wanted.held.value().cloned(),
                            Want::Absent => None,
                        };
                        if *address == key() {
                            home.key = value.unwrap();
                        } else {
                            home.fallbacks = value.as_ref().map(list).unwrap_or_default();
                        }
                    }
                    seen.push(told(&home));
                }
                // Every copy follows.
                let desired = publication.desired();
                let is = |wanted: Desired| {
                    wanted.len() == desired.len()
                        && wanted.iter().all(|(at, want)| match (want, &desired[at]) {
                            (Want::Present(one), Want::Present(other)) => one.held.same_as(&other.held),
                            (Want::Absent, Want::Absent) => true,
                            _ => false,
                        })
                };
                facts.finished = match &facts.chosen {
                    _ if way == Way::Retire => is(rotation.retired()),
                    Some(chosen) => is(rotation.last(chosen)),
                    None => false,
                };
                facts.staged =
                    facts.chosen.as_ref().and_then(|chosen| rotation.first(chosen)).is_some_and(is);
                facts.home = Some(home);
            }
            Step::Done => {
                seen.dedup();
                return seen;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it goes round in circles: {seen:?}");
}

#[test]
fn each_way_goes_through_its_pairs_and_ends() {
    let walked = |way, keeps, from: &Pair| walked(way, keeps, from);
    assert_eq!(
        walked(Way::Staged, false, &pair("old", &[])),
        ["old <- ", "old <- new,old", "new <- new,old", "new <- old"]
    );
    assert_eq!(walked(Way::Fast, false, &pair("old", &[])), ["old <- ", "old <- old", "new <- old"]);
    assert_eq!(walked(Way::Compromised, true, &pair("old", &["older"]))[1..], ["old <- ", "new <- "]);
    assert_eq!(walked(Way::Retire, false, &pair("old", &["older"])), ["old <- older", "old <- "]);
}

#[test]
fn keys_whose_time_is_not_over_stay_accepted_and_others_go() {
    let kept = walked(Way::Staged, true, &pair("old", &["older", "oldest"]));
    assert_eq!(kept[1], "old <- new,old,older,oldest");
    assert_eq!(kept.last().unwrap(), "new <- old,older,oldest");
    assert_eq!(walked(Way::Staged, false, &pair("old", &["older"])).last().unwrap(), "new <- old");
}

#[test]
fn at_no_moment_is_a_key_signed_with_that_a_neighbour_does_not_accept() {
    let accepts = |told: &str, signer: &str| {
        let (key, accepted) = told.split_once(" <- ").unwrap();
        key == signer || accepted.split(',').any(|one| one == signer)
    };
    let from = pair("old", &[]);
    let mut moments = walked(Way::Staged, false, &from);
    moments.push("new <- ".to_owned());
    for both in moments[..moments.len() - 1].windows(2) {
        for (one, other) in [(&both[0], &both[1]), (&both[1], &both[0])] {
            let signer = one.split(" <- ").next().unwrap();
            assert!(accepts(other, signer), "`{other}` meets what `{one}` signed");
        }
    }
    // In one deployment it does not hold, which is what `--fast` says of itself.
    assert!(!accepts("old <- old", "new"));
}

#[test]
fn a_run_that_was_cut_off_goes_on_by_what_is_deployed() {
    let rotation = rotation(Way::Staged, false);
    let chosen = pair("new", &["old"]);
    let step = |home: Pair, staged: bool| {
        let facts = Facts {
            way: Some(Way::Staged),
            home: Some(home),
            chosen: Some(chosen.clone()),
            staged,
            finished: false,
        };
        match rotation.next(&facts) {
            Step::Publish(publication) => match publication.stages.len() {
                1 => "first",
                _ => "last",
            },
            Step::Person(_) => "person",
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(step(pair("old", &[]), false), "first");
    assert_eq!(step(pair("old", &["new", "old"]), false), "first", "a copy has not followed");
    assert_eq!(step(pair("old", &["new", "old"]), true), "last");
    assert_eq!(step(pair("new", &["new", "old"]), false), "last", "home has begun");
    assert_eq!(step(pair("new", &["old"]), false), "last");
    assert_eq!(step(pair("theirs", &[]), false), "person");
}

#[test]
fn what_was_decided_on_other_keys_than_home_has_by_now_is_not_begun() {
    let step = |way: Way, known: &Pair, home: &Pair| {
        let rotation = DjangoSecretKey { decided_on: Some(known.clone()), ..rotation(way, false) };
        let home = Some(home.clone());
        match rotation.next(&Facts { way: None, home, chosen: None, staged: false, finished: false }) {
            Step::Choose => "begins",
            Step::GiveUp(error) if error.kind == ErrorKind::Conflict => "gives up",
            other => panic!("{other:?}"),
        }
    };
    for way in Way::ALL {
        let known = pair("old", &["older"]);
        assert_eq!(step(way, &known, &known), "begins");
        for home in
            [pair("new", &["old"]), pair("old", &[]), pair("old", &["other"]), pair("new", &["older"])]
        {
            assert_eq!(step(way, &known, &home), "gives up", "{way}: {}", told(&home));
        }
    }
}

#[test]
fn what_is_due_follows_from_what_home_holds_and_since_when() {
    let day = Duration::from_secs(86_400);
    let now: Timestamp = "2026-03-20T00:00:00Z".parse().unwrap();
    let home = |listed: Option<&str>, at: Option<&str>| {
        let entry =
            |text: &str| Entry { modified: at.map(|at| at.parse().unwrap()), ..Entry::of(secret(text)) };
        let mut home = Snapshot::default();
        home.entries.insert(key(), entry("new"));
        home.entries.extend(listed.map(|listed| (fallbacks(), entry(listed))));
        home
    };
    let of = |home: &Snapshot| soak(home, &key(), &fallbacks(), day * 14, now);
    let (young, old) = (Some("2026-03-10T00:00:00Z"), Some("2026-03-06T00:00:00Z"));
    assert_eq!(of(&home(None, old)), Soak::None);
    assert_eq!(of(&home(Some("new"), old)), Soak::None, "nothing but the key itself");
    assert_eq!(of(&home(Some("old"), old)), Soak::Over);
    let until = "2026-03-24T00:00:00Z".parse().unwrap();
    assert_eq!(of(&home(Some("old"), young)), Soak::Until(until));
    assert_eq!(of(&home(Some("old"), None)), Soak::Unknown);

    let rotate = |keeps| Verdict::Rotate { keeps };
    for (soak, by_name, due, not_due) in [
        (Soak::None, rotate(false), rotate(false), Verdict::NotDue),
        (Soak::Over, Verdict::Retire, rotate(false), Verdict::Retire),
        (Soak::Until(until), Verdict::Waits(until), rotate(true), Verdict::Waits(until)),
        (Soak::Unknown, Verdict::Unknown, rotate(true), Verdict::NotDue),
    ] {
        assert_eq!(decide(soak, Asked::ByName), by_name, "{soak:?}");
        assert_eq!(decide(soak, Asked::Due(true)), due, "{soak:?}");
        assert_eq!(decide(soak, Asked::Due(false)), not_due, "{soak:?}");
        assert_eq!(decide(soak, Asked::Now), rotate(false), "{soak:?}");
    }
}
